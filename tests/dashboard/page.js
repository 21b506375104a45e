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
return { address: location.pathname, text: text(document.body), figures, newest_day: newestDay(), rows, details };

// What the chart of the days is drawn from. 6 has it in attributes, 7 and 8 in the canvas.
function newestDay() {
  const old = document.querySelector('#history'), canvas = document.querySelector('#history-chart');
  if (old === null && canvas === null) return null;
  const charts = canvas === null
    ? [old.dataset.processed, old.dataset.failed].map(days => Object.entries(JSON.parse(days)))
    : (({ processed, failed }) => [processed, failed])(JSON.parse(canvas.textContent));
  return charts.map(days => days.toSorted().at(-1)[1]);
}
