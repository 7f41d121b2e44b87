"""The report page's frame and style: light and dark, from a phone to a desk, on paper."""

from string import Template

PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
:root {
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2127; --soft: #565e69; --line: #dfe2e6;
  --c0: #5f6773; --c1: #0b62c4; --c2: #b04508; --c3: #0d6e65; --c4: #8430a6; --c5: #a81c4f;
  --c6: #5c6600; --c7: #2b6b80;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --ink: #e8eaed; --soft: #a8b0bb; --line: #363c45;
    --c0: #a9b1bd; --c1: #6db3ff; --c2: #ff9d57; --c3: #4fd1c0; --c4: #d79bf0; --c5: #ff8fb0;
    --c6: #c3d36a; --c7: #83cfe6;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 58rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 {
  font-size: clamp(1.7rem, 6vw, 2.3rem); line-height: 1.15; letter-spacing: -0.02em; text-wrap: balance;
  margin: 0.5rem 0 0.75rem; overflow-wrap: anywhere;
}
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.75rem 0 0.4rem; }
h3 { font-size: 1rem; margin: 1rem 0 0.5rem; }
h4 { font-size: 0.95rem; margin: 1.25rem 0 0.25rem; }
p { margin: 0.4rem 0 0.75rem; max-width: 44rem; }
.lead { font-size: 1.05rem; color: var(--soft); margin-bottom: 1rem; }
.note { border-left: 3px solid var(--c2); padding: 0.25rem 0.75rem; overflow-wrap: anywhere; }
small, figcaption small, caption { color: var(--soft); font-weight: 400; }
a { color: var(--c1); }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; font-size: 0.9rem; margin: 0 0 1.25rem; }
nav a { padding: 0.25rem 0; }
section { scroll-margin-top: 0.5rem; }
:focus-visible { outline: 2px solid var(--c1); outline-offset: 2px; border-radius: 0.2rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1rem; }
.card.bare { padding: 0; overflow: hidden; }
.choice { display: flex; flex-wrap: wrap; gap: 0.4rem; margin: 0 0 0.9rem; border: 0; padding: 0; min-width: 0; }
.choice legend {
  position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap;
}
.choice label {
  position: relative; cursor: pointer; border: 1px solid var(--line); border-radius: 2rem; padding: 0.3rem 0.85rem;
  font-size: 0.95rem;
}
.choice input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
.choice label:has(:checked) { background: var(--ink); color: var(--card); border-color: var(--ink); }
.choice label:has(:focus-visible) { outline: 2px solid var(--c1); outline-offset: 2px; }
.of { display: none; font-weight: 600; }
@media screen {
  $panels
}
figure { margin: 0; min-width: 0; }
figcaption { line-height: 1.35; }
.plots { display: grid; grid-template-columns: minmax(0, 1fr) 12rem; gap: 0.5rem 2rem; align-items: center; }
.plots .legend { grid-template-columns: 1fr; gap: 0.9rem; margin: 0; }
.plots .legend small { display: block; }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 1.5rem; }
.many { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); gap: 1rem 1.5rem; }
.many figure, .two figure { max-width: 30rem; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit !important; }
.legend, .keys { list-style: none; display: flex; flex-wrap: wrap; padding: 0; }
.legend { gap: 0.3rem 1.5rem; margin: 0 0 0.9rem; line-height: 1.3; }
.legend li { padding-left: 1.35rem; text-indent: -1.35rem; }
.legend li * { text-indent: 0; }
.legend span { display: inline-block; width: 1.35rem; }
.keys { gap: 0 1rem; margin: 0.2rem 0; font-size: 0.85rem; }
.keys li::before { content: ""; display: inline-block; width: 1.4rem; margin-right: 0.35rem; vertical-align: middle;
  border-top: 3px solid; }
.keys .dash1::before { border-top-style: dashed; }
.keys .dash2::before { border-top-style: dotted; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.95rem; }
caption { text-align: left; font-size: 0.85rem; padding: 0.75rem 0 0.25rem; }
th, td { padding: 0.4rem 0.75rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
thead th, thead td { border-top: 0; vertical-align: bottom; line-height: 1.25; }
th[scope="row"] { text-align: left; font-weight: 400; position: sticky; left: 0; background: var(--card); }
th[scope="rowgroup"] { text-align: left; padding-top: 1.1rem; }
td small { white-space: nowrap; }
.dense td small { display: block; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 0.9rem 0.75rem; }
.pair div { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; border-radius: 0.4rem; overflow: hidden; }
.pair img { display: block; width: 100%; height: auto; }
.pair figcaption { margin-top: 0.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.pair small { display: block; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(8rem, 14rem) minmax(0, 1fr); gap: 0.35rem 1rem; margin: 0.5rem 0; }
code { font-size: 0.8rem; }
.verdicts h3:first-child { margin-top: 0; }
.verdicts li::first-letter { text-transform: uppercase; }
.remark td { border-top: 0; padding-top: 0; text-align: left; }
.remark small { white-space: normal; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; margin: 0.4rem 0; max-width: 44rem; }
ul li { margin: 0.35rem 0; }
ul.legend li, ul.keys li { margin: 0; }
details { margin-top: 0.75rem; }
summary { cursor: pointer; padding: 0.4rem 0; }
summary h3 { display: inline; }
@media (max-width: 40rem) {
  .plots { grid-template-columns: minmax(0, 1fr); }
  .plots .legend { order: -1; gap: 0.3rem; margin-bottom: 0.6rem; }
  .plots .legend small { display: inline; }
  .card { padding: 0.75rem; }
  th, td { padding: 0.35rem 0.3rem; }
  .bare th:first-child, .bare td:first-child { padding-left: 0.75rem; }
  .bare td:last-child, .bare th:last-child { padding-right: 0.75rem; }
  td small { display: block; font-size: 0.7rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dd { margin-bottom: 0.5rem; }
}
@media print {
  .choice { display: none; }
  .of { display: block; }
  .card, figure, tr { break-inside: avoid; }
}
</style>
</head>
<body>
<header>
<h1>$headline</h1>
<p class="lead">$lead</p>
$notes
<nav aria-label="parts of this page">$links</nav>
</header>
<main>
$parts
</main>
</body>
</html>
""")


def panel_rules(most: int) -> str:
    """Style rules that show the panel of the button that is checked, for up to `most` panels."""
    shown = ", ".join(
        f".tabs:has(> .choice > label:nth-of-type({place}) > :checked) > .panel:nth-of-type({place})"
        for place in range(1, most + 1)
    )
    return f"@supports selector(:has(*)) {{ .tabs > .panel {{ display: none; }} {shown} {{ display: block; }} }}"
