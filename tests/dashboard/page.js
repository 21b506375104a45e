// What the page shows: its text, its figures, and its tables by their headings.
const text = element => element.innerText.replace(/\s+/g, ' ').trim();
// The point in time itself, however it is put into words.
const content = cell => cell.querySelector('time')?.dateTime ?? text(cell);
const cells = (row, kind) => [...row.querySelectorAll(':scope > ' + kind)];
const rows = [], details = {};
for (const table of document.querySelectorAll('table')) {
  let heads = [];
  for (const row of table.querySelectorAll('tr')) {
    const titles = cells(row, 'th').map(cell => cell.textContent.trim()), values = cells(row, 'td').map(content);
    if (values.length === 0) heads = titles;
    else if (titles.length === 1 && values.length === 1) details[titles[0]] = values[0];
    else rows.push(Object.fromEntries(values.map((value, at) => [heads[at] ?? '', value])));
  }
}
const figures = {};
for (const figure of document.querySelectorAll('span.count')) {
  figures[figure.id.replace('txt', '')] = Number(text(figure).replaceAll(',', ''));
}
const canvas = id => JSON.parse(document.getElementById(id)?.textContent ?? 'null');
return {
  address: location.pathname, text: text(document.querySelector('#page')), figures, newest_day: newestDay(),
  histogram: canvas('hist-totals-chart')?.series ?? null, rows, details,
};

// What the chart of the days is drawn from. 7 and 8 have it in the canvas, 6 in attributes.
function newestDay() {
  const { processed, failed } = canvas('history-chart') ?? document.getElementById('history')?.dataset ?? {};
  if (processed === undefined) return null;
  const days = chart => Array.isArray(chart) ? chart : Object.entries(JSON.parse(chart));
  return [processed, failed].map(chart => days(chart).toSorted().at(-1)[1]);
}
