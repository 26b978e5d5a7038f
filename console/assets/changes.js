import { ask, bytes, el, number, time } from './common.js';

const $ = (id) => document.getElementById(id);
const form = $('search');
const fields = [...form.elements].filter((field) => field.name);
let next = null;
let shown = 0;
let asked = 0;

/** What is asked for, without what is left as it is. */
function question() {
  const params = new URLSearchParams();
  for (const field of fields) {
    const value = field.value.trim();
    if (value && !(field.name === 'order' && value === 'desc')) params.set(field.name, value);
  }
  return params;
}

/** The text of a value, and what kind it is. */
function value(of) {
  if (!of) return { text: '', kind: 'absent' };
  const json = of.json ?? of.cut;
  const cut = of.bytes ? el('span', { class: 'note' }, ` … ${bytes(of.bytes)} in all`) : null;
  if (json === 'null') return { text: 'NULL', kind: 'null' };
  const binary = /^"base64:type(\d+):([A-Za-z0-9+/=]*)"?$/.exec(json);
  if (binary) return { text: binary[2], kind: 'binary', note: `binary, type ${binary[1]}`, cut };
  if (json.startsWith('"') && !of.bytes) {
    const text = JSON.parse(json);
    return text === '' ? { text: 'empty', kind: 'null' } : { text, kind: 'text' };
  }
  return { text: json, kind: json.startsWith('"') ? 'text' : 'json', cut };
}

function cell(of, side, changed) {
  const { text, kind, note, cut } = value(of);
  return el('td', { class: `${kind} ${changed ? side : ''}`, 'data-side': side },
    note && el('span', { class: 'note' }, `${note} `),
    kind === 'absent' ? el('span', { class: 'note' }, 'not logged') : changed && side === 'before' ? el('del', {}, text) : changed ? el('ins', {}, text) : text, cut);
}

/** One line of what happened. */
function gist(change) {
  const changed = change.columns.filter((column) => column.changed);
  const of = change.type === 'UPDATE' ? changed : change.columns;
  const side = change.type === 'DELETE' ? 'before' : 'after';
  const parts = [];
  for (const column of of.slice(0, 6)) {
    const short = (held) => { const { text } = value(held); return text.length > 40 ? `${text.slice(0, 39)}…` : text; };
    if (parts.length) parts.push(', ');
    parts.push(el('b', {}, column.name), ' ');
    if (change.type === 'UPDATE') parts.push(el('del', {}, short(column.before)), ' → ', el('ins', {}, short(column.after)));
    else parts.push(short(column[side]));
  }
  if (of.length > 6) parts.push(` and ${of.length - 6} more`);
  if (!of.length) parts.push(change.type === 'UPDATE' ? 'no column changed' : '');
  return parts;
}

const link = (text, params, label) => el('a', { href: `/changes?${new URLSearchParams(params)}`, 'aria-label': label }, text);

function details(change) {
  const both = change.type === 'UPDATE';
  const sides = both ? ['before', 'after'] : [change.type === 'DELETE' ? 'before' : 'after'];
  const head = el('tr', {}, el('th', { scope: 'col' }, 'Column'), sides.map((side) => el('th', { scope: 'col' }, side === 'before' ? 'Before' : 'After')));
  const rows = change.columns.map((column) => el('tr', column.changed ? { class: 'changed' } : {},
    el('th', { scope: 'row' }, column.name, column.changed && el('span', { class: 'unseen' }, ' (changed)')),
    sides.map((side) => cell(column[side], side, both && column.changed))));
  const key = change.key === null ? null : link('This row’s life', { schema: change.schema, table: change.table, pk: change.key, order: 'asc' });
  return el('div', { class: 'detail' },
    el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `Columns of change ${change.id}` }, el('table', { class: 'diff' }, el('thead', {}, head), el('tbody', {}, rows))),
    el('dl', { class: 'facts' },
      el('dt', {}, 'Change'), el('dd', { class: 'code' }, change.id),
      el('dt', {}, 'Committed'), el('dd', { class: 'code' }, time(change.time, true)),
      el('dt', {}, 'GTID'), el('dd', { class: 'code' }, change.gtid ? link(change.gtid, { gtid: change.gtid, order: 'asc' }, `The transaction ${change.gtid}`) : 'none'),
      el('dt', {}, 'Binlog'), el('dd', { class: 'code' }, `${change.binlog_file} : ${change.start_pos}–${change.end_pos}`),
      el('dt', {}, 'Connection'), el('dd', { class: 'code' }, change.connection_id === null ? 'not known' : String(change.connection_id)),
      change.new_key !== null && [el('dt', {}, 'New key'), el('dd', { class: 'code' }, change.new_key)],
      el('dt', {}, 'Source'), el('dd', { class: 'code' }, String(change.source_id))),
    key && el('p', {}, key));
}

function row(change) {
  const node = el('details', { class: `change ${change.type.toLowerCase()}` },
    el('summary', {},
      el('span', { class: 'kind' }, change.type.toLowerCase()),
      el('span', { class: 'when code' }, time(change.time)),
      el('span', { class: 'what code' }, `${change.schema}.${change.table}`, change.key !== null && el('span', { class: 'key' }, ` ${change.key}`)),
      el('span', { class: 'gist' }, gist(change))));
  node.addEventListener('toggle', () => { if (node.open && node.children.length === 1) node.append(details(change)); });
  return el('li', {}, node);
}

async function page(after) {
  const turn = ++asked;
  const params = question();
  if (after) params.set('after', after);
  $('trouble').hidden = true;
  $('more').hidden = true;
  $('said').textContent = 'Searching…';
  const begun = performance.now();
  try {
    const answer = await ask(`/view/changes?${params}`);
    if (turn !== asked) return;
    if (!after) { $('found').replaceChildren(); shown = 0; }
    const first = $('found').children.length;
    $('found').append(...answer.changes.map(row));
    shown += answer.changes.length;
    next = answer.next;
    $('more').hidden = !next;
    if (after) $('found').children[first]?.querySelector('summary')?.focus();
    const took = Math.round(performance.now() - begun);
    $('said').textContent = `${shown ? `${number(shown)} row ${shown === 1 ? 'change' : 'changes'}${next ? ', and there are more' : ''}` : 'No row change fits'} · ${took} ms${answer.nameless ? ` · ${number(answer.nameless)} row changes without column names were passed over` : ''}`;
  } catch (error) {
    if (turn !== asked) return;
    $('said').textContent = '';
    $('trouble').textContent = error.message;
    $('trouble').hidden = false;
    if (after) $('more').hidden = false;
  }
}

function exports() {
  const params = question();
  for (const format of ['json', 'csv']) {
    params.set('format', format);
    $(format).href = `/api/v1/events/export?${params}`;
  }
}

function fill() {
  const params = new URLSearchParams(location.search);
  for (const field of fields) field.value = params.get(field.name) ?? (field.name === 'order' ? 'desc' : '');
  exports();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const params = question();
  window.history.pushState(null, '', params.size ? `?${params}` : location.pathname);
  page(null);
});
form.addEventListener('reset', (event) => {
  event.preventDefault();
  window.history.pushState(null, '', location.pathname);
  fill();
  page(null);
});
form.addEventListener('input', exports);
$('more').addEventListener('click', () => page(next));
window.addEventListener('popstate', () => { fill(); page(null); });

ask('/api/v1/tables').then(({ tables }) => {
  const offer = (list, names) => $(list).replaceChildren(...[...new Set(names)].map((name) => el('option', { value: name })));
  const of = () => tables.filter((table) => !$('schema').value || table.schema_name === $('schema').value).map((table) => table.table_name);
  offer('schemas', tables.map((table) => table.schema_name));
  offer('tables', of());
  $('schema').addEventListener('input', () => offer('tables', of()));
}).catch(() => { /* names can be typed, too */ });

fill();
page(null);
