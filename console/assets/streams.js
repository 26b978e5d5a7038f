import { bytes, el, length, number, since, time } from './common.js';
import { line, svg } from './plot.js';

const SIGNS = { ok: '✓', degraded: '◐', gap: '◇', behind: '▽', stalled: '‖', crash_looping: '↻', stopped: '■' };
const KEPT = 720;

const $ = (id) => document.getElementById(id);
let history = new Map();
let report = null;
const cards = new Map();

/** What it looks like. */
const look = (verdict) => (verdict === 'crash_looping' ? 'stopped' : verdict);
const words = (name) => name.replaceAll('_', ' ');
const badge = ({ verdict, state }) => el('span', { class: `badge ${look(verdict)}` }, el('span', { 'aria-hidden': 'true' }, SIGNS[verdict] ?? '?'), ` ${words(state)}`);

/** Replaces the children only where they differ: what is read out or selected stays. */
function replace(node, ...children) {
  const next = el('div', {}, ...children);
  if (next.innerHTML !== node.innerHTML) node.replaceChildren(...next.childNodes);
}

function headline() {
  const { verdict, detail, next_step: step } = report.verdict;
  const node = $('headline');
  node.className = `headline ${look(verdict)}`;
  const count = report.sources.length;
  const well = report.sources.filter((source) => source.verdict === 'ok').length;
  replace(node,
    el('span', { class: 'sign', 'aria-hidden': 'true' }, SIGNS[verdict] ?? '?'),
    el('div', {},
      el('p', { class: 'verdict' }, el('strong', {}, words(verdict)), count ? ` · ${well} of ${count} ${count === 1 ? 'source' : 'sources'} well` : ''),
      el('p', {}, detail),
      step && el('p', { class: 'step' }, el('b', {}, 'Next: '), step)));
  document.title = `${SIGNS[verdict] ?? ''} ${words(verdict)} · bintrail`;
}

const tile = (name, value, note) => el('div', { class: 'tile' }, el('span', { class: 'name' }, name), el('span', { class: 'value' }, value), note && el('span', { class: 'note' }, note));

function disk() {
  const { disk: room, sources } = report;
  const rows = sources.reduce((sum, source) => sum + source.coverage.row_changes, 0);
  const rate = sources.reduce((sum, source) => sum + source.stream.rows_per_second, 0);
  const grows = room.growth_bytes_per_day;
  const left = room.free_bytes !== null && grows > 0 ? `full in ${length(room.free_bytes / grows * 86400)} at this rate` : null;
  replace($('disk'),
    tile('Row changes', number(rows), `${number(rate)} a second`),
    tile('Index size', bytes(room.bytes), room.bytes_per_row_change === null ? null : `${number(room.bytes_per_row_change)} B a row change`),
    tile('Growth', grows === null ? '–' : `${bytes(grows)} a day`, grows === null ? 'too little to tell yet' : null),
    tile('Free', room.free_bytes === null ? '–' : bytes(room.free_bytes), room.free_bytes === null ? 'where the server keeps it' : left));
}

/** What is covered, from the first row change to now. */
function coverage(source) {
  const { coverage: held, servers, stream } = source;
  if (!held.earliest) return el('p', { class: 'note' }, 'No row change is in the index yet.');
  const now = Date.parse(report.read_at);
  const start = Date.parse(held.earliest);
  // As far as it was read: an idle source has no row changes, and is covered nevertheless.
  const read = Math.min(now, Math.max(Date.parse(held.latest), stream.last_checkpoint ? Date.parse(stream.last_checkpoint) : 0));
  const found = held.gap && Date.parse(held.gap.found);
  const from = Math.min(start, found || start);
  const span = Math.max(now - from, 1);
  const x = (at) => ((at - from) / span) * 1000;
  const words = [`Covered from ${time(held.earliest)} to ${time(new Date(read).toISOString())} UTC, ${number(held.row_changes)} row changes.`];
  if (held.gap) words.push(`A gap was found at ${time(held.gap.found)}: ${held.gap.detail}.`);
  const bar = svg('svg', { viewBox: '0 0 1000 22', preserveAspectRatio: 'none', class: 'cover', role: 'img', 'aria-label': words.join(' ') });
  bar.append(svg('rect', { x: 0, y: 5, width: 1000, height: 12, class: 'open' }));
  bar.append(svg('rect', { x: x(start), y: 5, width: Math.max(x(read) - x(start), 2), height: 12, class: 'held' }));
  for (const server of servers.slice(1)) bar.append(svg('rect', { x: x(Date.parse(server.since)), y: 1, width: 2, height: 20, class: 'taken' }));
  if (held.gap) bar.append(svg('rect', { x: Math.min(Math.max(x(found) - 4, 0), 992), y: 0, width: 8, height: 22, class: 'gap' }));
  return el('div', { class: 'coverage' },
    el('div', { class: 'row' }, el('h3', {}, 'Coverage'), el('span', { class: 'note' }, `${number(held.row_changes)} row changes over ${length(span / 1000)}`)),
    bar,
    el('div', { class: 'row ends' }, el('span', {}, time(new Date(from).toISOString())),
      now - read > 30_000 && el('span', { class: 'late' }, `nothing read for ${length((now - read) / 1000)}`),
      el('span', {}, 'now')),
    held.gap && el('p', { class: 'gapline' }, el('span', { 'aria-hidden': 'true' }, '◇ '), `Gap found ${time(held.gap.found)}: ${held.gap.detail}`),
    servers.length > 1 && el('p', { class: 'note' }, `Read from ${servers.length} servers, since ${time(servers[servers.length - 1].since)} from ${servers[servers.length - 1].host}:${servers[servers.length - 1].port}`));
}

const fact = (name, value, code = false) => [el('dt', {}, name), el('dd', code ? { class: 'code' } : {}, value)];

function facts(source) {
  const { stream } = source;
  const place = stream.binlog_file ? `${stream.binlog_file} : ${stream.binlog_position}` : stream.gtid_set ? 'by GTID' : 'none saved yet';
  return el('dl', { class: 'facts' },
    fact('State', `${stream.state}${stream.mode ? `, by ${stream.mode === 'gtid' ? 'GTID' : 'position'}` : ''}`),
    fact('Position', place, true),
    stream.gtid_set ? fact('GTID set', stream.gtid_set.replaceAll(',', ',\u200b'), true) : null,
    fact('Last event', stream.last_event_time ? time(stream.last_event_time, true) : 'none yet'),
    fact('Checkpoint', stream.checkpoint_age_seconds === null ? 'none yet' : `${length(Math.floor(stream.checkpoint_age_seconds))} ago`),
    fact('Writer', stream.writer ?? 'none'),
    stream.server_id ? fact('Server id', String(stream.server_id)) : null);
}

function plot(source, at, title, kind, format, now) {
  const points = (history.get(source.source_id) ?? []).map((point) => [point[0], point[at]]);
  const drawn = line(points, { title, kind, format });
  return el('figure', {},
    el('figcaption', { class: 'row' }, el('h3', {}, title), el('span', { class: 'now' }, now)),
    el('div', { class: 'canvas' }, drawn.node, el('span', { class: 'top', 'aria-hidden': 'true' }, drawn.top)),
    el('div', { class: 'row ends', 'aria-hidden': 'true' }, el('span', {}, drawn.from), el('span', {}, drawn.to)));
}

function more(source) {
  const skips = Object.entries(source.capture_skips);
  const { schema } = source.coverage;
  const files = source.files.last;
  return [
    el('dl', { class: 'facts' },
      fact('Server', `${source.source.flavor} ${source.source.version}`),
      fact('UUID', source.source.server_uuid, true),
      fact('First seen', time(source.source.first_seen)),
      fact('Streaming since', time(source.stream.streaming_since)),
      fact('Indexed', source.stream.events_indexed === null ? '–' : `${number(source.stream.events_indexed)} row changes`),
      fact('Definitions', `${number(schema.versions)} of tables, ${number(schema.ddl_statements)}${schema.ddl_statements_more ? ' or more' : ''} DDL statements`),
      schema.unnamed_tables ? fact('Without names', `${number(schema.unnamed_tables)} tables, ${number(schema.unnamed_tables_now)} now`) : null),
    skips.length ? el('table', {}, el('caption', {}, 'Not captured'),
      el('thead', {}, el('tr', {}, ['Reason', 'Times', 'Last', 'When'].map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, skips.map(([reason, skip]) => el('tr', {}, el('td', {}, reason), el('td', { class: 'num' }, number(skip.count)), el('td', { class: 'code' }, skip.last), el('td', {}, time(skip.last_at)))))) : null,
    files.length ? el('table', {}, el('caption', {}, 'Binlog files indexed'),
      el('thead', {}, el('tr', {}, ['File', 'Bytes', 'Row changes', 'Status'].map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, files.map((file) => el('tr', {}, el('td', { class: 'code' }, file.name), el('td', { class: 'num' }, bytes(file.size)), el('td', { class: 'num' }, number(file.row_changes)), el('td', {}, file.error ?? file.status))))) : null,
  ];
}

function card(source) {
  let parts = cards.get(source.source_id);
  if (!parts) {
    const id = `source-${source.source_id}`;
    parts = { head: el('header', {}), findings: el('ul', { class: 'findings' }), grid: el('div', { class: 'grid' }), cover: el('div', {}), more: el('div', {}) };
    parts.node = el('article', { class: 'card', 'aria-labelledby': id }, parts.head, parts.findings, parts.grid, parts.cover,
      el('details', {}, el('summary', {}, 'More of this source'), parts.more));
    parts.id = id;
    cards.set(source.source_id, parts);
    $('sources').append(parts.node);
  }
  const { host, port, flavor, version } = source.source;
  const { stream } = source;
  parts.node.className = `card ${look(source.verdict)}`;
  replace(parts.head, el('h2', { id: parts.id }, `${host}:${port}`), badge(source),
    el('span', { class: 'note' }, `source ${source.source_id} · ${flavor === 'mariadb' ? 'MariaDB' : 'MySQL'} ${version.split('-')[0]}`),
    el('a', { href: `/changes?source_id=${source.source_id}` }, 'Changes'));
  const findings = source.findings.filter((finding) => finding.verdict !== 'ok' || source.findings.length > 1);
  replace(parts.findings, findings.map((finding) => el('li', { class: look(finding.verdict) }, badge(finding), ' ', finding.detail,
    finding.next_step && el('span', { class: 'step' }, el('b', {}, ' Next: '), finding.next_step))),
  stream.last_error && !findings.some((finding) => finding.detail.includes(stream.last_error)) && el('li', { class: 'stalled' }, el('b', {}, 'Last error: '), stream.last_error));
  parts.findings.hidden = !parts.findings.children.length;
  replace(parts.grid, facts(source),
    plot(source, 1, 'Lag', 'lag', length, length(stream.lag_seconds)),
    plot(source, 2, 'Row changes a second', 'rate', number, number(stream.rows_per_second)));
  replace(parts.cover, coverage(source));
  replace(parts.more, more(source));
}

function partitions() {
  const node = $('partitions');
  const all = report.partitions;
  node.hidden = !all.length;
  if (!all.length) return;
  const most = Math.max(1, ...all.map((part) => part.rows));
  const shown = all.slice(-48);
  const bar = svg('svg', { viewBox: `0 0 ${shown.length * 10} 60`, preserveAspectRatio: 'none', class: 'bars', role: 'img', 'aria-label': `Rows of the last ${shown.length} of ${all.length} partitions; the table below has them all` });
  shown.forEach((part, at) => {
    const height = Math.max((part.rows / most) * 58, part.rows ? 1 : 0);
    bar.append(svg('rect', { x: at * 10 + 1, y: 60 - height, width: 8, height, class: 'held' }));
  });
  const open = node.querySelector('details')?.open;
  replace(node, el('div', { class: 'row' }, el('h2', {}, 'Partitions'), el('span', { class: 'note' }, `${all.length} of row_changes`)), bar,
    el('details', { open }, el('summary', {}, 'As a table'), el('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Partitions' }, el('table', {},
      el('thead', {}, el('tr', {}, ['Partition', 'Before', 'Rows, about', 'Size'].map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, all.map((part) => el('tr', {}, el('td', { class: 'code' }, part.name), el('td', {}, part.before ? time(part.before) : 'all later ones'), el('td', { class: 'num' }, number(part.rows)), el('td', { class: 'num' }, bytes(part.bytes)))))))));
}

function draw() {
  headline();
  disk();
  for (const source of report.sources) card(source);
  for (const [id, parts] of cards) {
    if (!report.sources.some((source) => source.source_id === id)) { parts.node.remove(); cards.delete(id); }
  }
  partitions();
}

function trouble(line) {
  const node = $('trouble');
  node.hidden = !line;
  if (line && node.textContent !== line) node.textContent = line;
  document.body.classList.toggle('stale', Boolean(line));
}

function remember() {
  const at = Date.parse(report.read_at);
  for (const source of report.sources) {
    const points = history.get(source.source_id) ?? [];
    history.set(source.source_id, points);
    const last = points[points.length - 1];
    const point = [at, source.stream.lag_seconds, source.stream.rows_per_second];
    // The last one is the present; it stays once it is as far from the one before as the console keeps them.
    if (points.length > 1 && at - points[points.length - 2][0] < 5000) points[points.length - 1] = point;
    else if (!last || at > last[0]) points.push(point);
    if (points.length > KEPT) points.shift();
  }
}

function seen(text) {
  report = JSON.parse(text);
  trouble('');
  remember();
  draw();
}

let events = null;
let glances = null;

/** As it happens. */
function watch() {
  clearInterval(glances);
  events?.close();
  events = new EventSource('/api/v1/live');
  events.addEventListener('history', (event) => {
    history = new Map(Object.entries(JSON.parse(event.data)).map(([id, points]) => [Number(id), points]));
  });
  events.addEventListener('status', (event) => seen(event.data));
  events.addEventListener('trouble', (event) => {
    const { error } = JSON.parse(event.data);
    trouble(report ? `${error} — what is shown is of ${time(report.read_at)}` : error);
    if (!report) $('headline').replaceChildren();
  });
  events.addEventListener('error', () => {
    trouble('The console does not answer; trying again.');
    if (events.readyState === EventSource.CLOSED) glance();
  });
}

/** Once, for the title of a page that is not looked at. */
async function glance() {
  const response = await fetch('/api/v1/status').catch(() => null);
  if (response?.status === 401) location.assign('/login');
  else if (response?.ok) seen(await response.text());
}

// A browser has six connections to a host for all its pages: those that nobody looks at give theirs back.
document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    events.close();
    glances = setInterval(glance, 20_000);
  } else watch();
});
watch();
