"""Recipes: the sections that a YAML file or the command line fills, their checks, and what follows from them.

Importing this package loads no torch; `validate` and `resolve`, which build parts to try them, do.
"""

from facedistill.recipe.classifier import ClassificationRecipe
from facedistill.recipe.loss_term import LossTerm
from facedistill.recipe.optimiser import OptimiserRecipe
from facedistill.recipe.recipe import ALIAS_SEPARATOR, HARD, HELD_OUT, Recipe
from facedistill.recipe.sections import (
    DataRecipe,
    HeadRecipe,
    NetRecipe,
    SearchRange,
    SynthRecipe,
    TeacherRecipe,
    VarianceStep,
)

__all__ = [
    "ALIAS_SEPARATOR",
    "HARD",
    "HELD_OUT",
    "ClassificationRecipe",
    "DataRecipe",
    "HeadRecipe",
    "LossTerm",
    "NetRecipe",
    "OptimiserRecipe",
    "Recipe",
    "SearchRange",
    "SynthRecipe",
    "TeacherRecipe",
    "VarianceStep",
]
