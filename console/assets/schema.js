import { ask, el, number, time } from './common.js';

const $ = (id) => document.getElementById(id);
let next = null;
let shown = 0;

function row(change) {
  return el('li', { class: 'ddl' },
    el('p', { class: 'row' },
      el('span', { class: 'kind' }, change.change_type.toLowerCase()),
      el('span', { class: 'when code' }, time(change.event_timestamp)),
      el('span', { class: 'what code' }, change.schemas.join(', ') || 'no schema'),
      el('span', { class: 'note code' }, `source ${change.source_id} · ${change.binlog_file} : ${change.start_pos}`)),
    el('pre', { tabindex: '0', role: 'region', 'aria-label': `Statement of ${time(change.event_timestamp)}` }, change.statement));
}

async function page(before) {
  const params = new URLSearchParams();
  for (const name of ['schema', 'source_id']) if ($(name).value.trim()) params.set(name, $(name).value.trim());
  if (before) params.set('before', before);
  $('trouble').hidden = true;
  $('more').hidden = true;
  try {
    const answer = await ask(`/api/v1/schema-changes?${params}`);
    if (!before) { $('found').replaceChildren(); shown = 0; }
    $('found').append(...answer.schema_changes.map(row));
    shown += answer.schema_changes.length;
    next = answer.next;
    $('more').hidden = !next;
    $('said').textContent = shown ? `${number(shown)} statements, newest first${next ? ', and there are more' : ''}` : 'No DDL statement is in the index.';
  } catch (error) {
    $('trouble').textContent = error.message;
    $('trouble').hidden = false;
  }
}

$('search').addEventListener('submit', (event) => { event.preventDefault(); page(null); });
$('more').addEventListener('click', () => page(next));
page(null);
