"""Synthetic people: identity, head shape, skin texture, hair, scene, rendering, and the face sets made of them."""
