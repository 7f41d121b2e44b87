"""The report's page: markup and style, light and dark, from a phone to a desk."""

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
  --page: #fbfbfa; --card: #ffffff; --ink: #1d2127; --soft: #5b636e; --line: #dfe2e6;
  --student: #0b62c4; --control: #c2500a; --teacher: #6a7380;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1c2026; --ink: #e8eaed; --soft: #a3abb6; --line: #363c45;
    --student: #6db3ff; --control: #ff9d57; --teacher: #a9b1bd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 52rem; padding: 1.5rem 1rem 4rem; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
h1 {
  font-size: clamp(1.7rem, 6vw, 2.3rem); line-height: 1.15; letter-spacing: -0.02em; text-wrap: balance;
  margin: 0.5rem 0 0.75rem;
}
h2 { font-size: 1.2rem; margin: 2.5rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 42rem; }
.lead { font-size: 1.05rem; color: var(--soft); margin-bottom: 1.25rem; }
small { color: var(--soft); font-weight: 400; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 0.75rem; padding: 1rem; }
.choice { display: flex; gap: 0.5rem; margin: 0 0 0.75rem; border: 0; padding: 0; }
.choice label { cursor: pointer; border: 1px solid var(--line); border-radius: 2rem; padding: 0.3rem 0.9rem; }
.choice input { position: absolute; opacity: 0; }
.choice label:has(:checked) { background: var(--ink); color: var(--card); border-color: var(--ink); }
.choice label:has(:focus-visible) { outline: 2px solid var(--student); outline-offset: 2px; }
.plot { display: none; margin: 0; }
.plots { display: grid; grid-template-columns: minmax(0, 1fr) 12rem; gap: 0.5rem 1.5rem; align-items: center; }
.plots .legend { order: 1; }
.card:has(#show-accuracy:checked) .accuracy, .card:has(#show-eer:checked) .eer { display: block; }
svg { display: block; width: 100%; height: auto; }
svg text { font-family: inherit !important; }
.legend { list-style: none; display: grid; gap: 0.9rem; margin: 0; padding: 0; line-height: 1.3; }
.legend li { padding-left: 1.5rem; position: relative; font-weight: 600; }
.legend li::before { content: attr(data-marker); position: absolute; left: 0; }
.legend small { display: block; }
li.student, th.student { color: var(--student); }
li.control, th.control { color: var(--control); }
li.teacher, th.teacher { color: var(--teacher); }
.scroll { overflow-x: auto; padding: 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.95rem; }
th, td { padding: 0.4rem 0.75rem; text-align: right; vertical-align: top; border-top: 1px solid var(--line); }
thead th, thead td { border-top: 0; vertical-align: bottom; line-height: 1.25; }
th[scope="row"] { text-align: left; font-weight: 400; }
th[scope="rowgroup"] { text-align: left; padding-top: 1.1rem; }
td small { white-space: nowrap; }
td.student { font-weight: 600; }
dl { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0.35rem 1rem; margin: 0.5rem 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
ul.limits { padding-left: 1.2rem; max-width: 42rem; }
ul.limits li { margin: 0.4rem 0; }
details { margin-top: 1rem; }
summary { cursor: pointer; padding: 0.4rem 0; }
@media (max-width: 40rem) {
  .plots { grid-template-columns: minmax(0, 1fr); }
  .plots .legend { order: 0; gap: 0.3rem; }
  .legend small { display: inline; }
  .card { padding: 0.75rem; }
  .card.scroll { padding: 0; }
  th, td { padding: 0.35rem 0.4rem; }
  th:first-child { padding-left: 0.75rem; }
  td:last-child, th:last-child { padding-right: 0.75rem; }
  td small { display: block; font-size: 0.7rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.5rem; }
}
</style>
</head>
<body>
<h1>$headline</h1>
<p class="lead">$lead</p>

<div class="card">
<fieldset class="choice">
<label><input type="radio" name="plot" id="show-accuracy" checked>accuracy</label>
<label><input type="radio" name="plot" id="show-eer">error rate</label>
</fieldset>
<div class="plots">
<ul class="legend">$legend</ul>
<figure class="plot accuracy">$accuracy_plot
<figcaption><small>Higher is better. Bands: 95 % intervals over the people tested.</small></figcaption></figure>
<figure class="plot eer">$eer_plot
<figcaption><small>Lower is better: at the threshold where false matches and false rejections are equally frequent.
Bands: 95 % intervals over the people tested.</small></figcaption></figure>
</div>
</div>

<h2>The figures</h2>
<p><small>One picture of each pair is degraded to the height given, the other stays as it was.
In brackets, the 95&nbsp;% intervals over the people tested.</small></p>
<div class="card scroll">$table</div>
<details><summary>The same with both pictures degraded</summary>
<div class="card scroll">$both_table</div></details>

<h2>What the words mean</h2>
<dl>
<dt>accuracy</dt><dd>The share of pairs judged rightly, pairs of one person and of two weighing alike. The threshold is
chosen on other people than those it is judged on.</dd>
<dt>equal error rate</dt><dd>The error at the threshold where false matches and false rejections are equally
frequent.</dd>
<dt>native, 16 px</dt><dd>The aligned face as it is, or shrunk to so many rows and enlarged back.</dd>
</dl>

<h2>How it was measured</h2>
<dl>$measured</dl>

<h2>What the figures do not say</h2>
<ul class="limits">$limits</ul>
</body>
</html>
""")
