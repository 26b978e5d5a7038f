import { ask, el, send, sure, time } from './common.js';

const $ = (id) => document.getElementById(id);
const EVERY = 3000;
const LOOKS = { ok: 'ok', running: 'ok', idle: 'ok', degraded: 'degraded', skipping: 'degraded', unnamed: 'degraded', gap: 'gap', behind: 'behind', starting: 'behind', restarting: 'behind', stopping: 'behind' };
const STEPS = { registered: 'Registered', checked: 'Checked by doctor', started: 'Stream started', connected: 'Connected to the source', indexed: 'First checkpoint saved' };
const SIGNS = { done: '✓', running: '…', failed: '✗', pending: '·' };
const WORDS = { ok: '✓', info: 'i', warning: '!', error: '✗' };
const cards = new Map();

const badge = (word) => el('span', { class: `badge ${LOOKS[word] ?? 'stopped'}` }, word.replaceAll('_', ' '));

/** Replaces the children only where they differ: what is read out or selected stays. */
function replace(node, ...children) {
  const next = el('div', {}, ...children);
  if (next.innerHTML !== node.innerHTML) node.replaceChildren(...next.childNodes);
}

function trouble(line) {
  $('trouble').hidden = !line;
  if (line && $('trouble').textContent !== line) $('trouble').textContent = line;
}

async function act(button, method, path) {
  button.disabled = true;
  try {
    await send(method, path);
    trouble('');
  } catch (error) {
    trouble(error.message);
  }
  button.disabled = false;
  await look();
}

function made(server) {
  const id = `server-${server.server_id}`;
  const path = `/api/v1/servers/${server.server_id}`;
  const button = (text, then, quiet = true) => el('button', { type: 'button', class: quiet ? 'quiet' : null, on: { click: (event) => then(event.currentTarget) } }, text);
  const card = { head: el('header', {}), said: el('div', { 'aria-live': 'polite' }), steps: el('ol', { class: 'steps', 'aria-label': 'Onboarding' }), more: el('div', {}) };
  card.start = button('Start', (node) => act(node, 'POST', `${path}/stream/start`), false);
  card.stop = button('Stop', (node) => act(node, 'POST', `${path}/stream/stop`));
  card.edit = button('Edit', () => edit(card.server));
  card.gone = sure('Decommission', 'Really? Its stream ends for good', (node) => act(node, 'DELETE', path));
  card.node = el('article', { 'aria-labelledby': id }, card.head, card.said, card.steps,
    el('div', { class: 'buttons' }, card.start, card.stop, card.edit, card.gone),
    el('details', {}, el('summary', {}, 'What it is started with'), card.more));
  card.id = id;
  cards.set(server.server_id, card);
  $('servers').append(card.node);
  return card;
}

const fact = (name, value) => [el('dt', {}, name), el('dd', { class: 'code' }, String(value))];

function draw(server, status, onboarding) {
  const card = cards.get(server.server_id) ?? made(server);
  const { stream } = server;
  card.server = server;
  const verdict = status?.state ?? stream.state;
  card.node.className = `card ${LOOKS[verdict] === 'ok' ? 'ok' : LOOKS[verdict] ?? 'stopped'}`;
  replace(card.head, el('h2', { id: card.id }, server.name), badge(verdict),
    el('span', { class: 'note' }, `${server.user}@${server.host}:${server.port} · ${server.server_id} · ${stream.supervisor}${stream.pid ? ` ${stream.pid}` : ''}`),
    status?.source ? el('a', { href: `/changes?source_id=${status.source.source_id}` }, 'Changes') : null);
  const error = stream.last_error ?? status?.source?.stream.last_error;
  replace(card.said, status && el('p', {}, status.detail, status.next_step && el('span', { class: 'step' }, el('b', {}, ' Next: '), status.next_step)),
    error && !status?.detail.includes(error) ? el('p', { class: 'gapline' }, el('b', {}, 'Last error: '), error) : null,
    stream.restarts || stream.last_exit ? el('p', { class: 'note' }, [stream.restarts ? `Started again by itself ${stream.restarts} ${stream.restarts === 1 ? 'time' : 'times'}.` : '', stream.last_exit ? `The process before: ${stream.last_exit}.` : ''].join(' ').trim()) : null);
  replace(card.steps, (onboarding?.steps ?? []).map((step) => el('li', { class: step.state },
    el('span', { 'aria-hidden': 'true' }, `${SIGNS[step.state]} `), STEPS[step.step], el('span', { class: 'unseen' }, `: ${step.state}`),
    step.at && el('span', { class: 'note' }, ` ${time(step.at)}`), step.error && el('span', { class: 'why' }, ` ${step.error}`))));
  card.steps.hidden = !onboarding;
  card.start.hidden = stream.wanted && !['failed', 'crash_looping', 'restarting'].includes(stream.state);
  card.start.textContent = stream.wanted ? 'Try again now' : 'Start';
  card.stop.hidden = !stream.wanted;
  const { parameters } = server;
  replace(card.more, el('dl', { class: 'facts' },
    Object.entries(parameters).filter(([, value]) => value !== null).flatMap(([name, value]) => fact(name, Array.isArray(value) ? value.join(', ') || 'all' : value)),
    fact('password', server.password_reference ?? server.password_kind), fact('registered', time(server.created_at))));
}

/** What it says of one server; that it could not be asked stands in its card, and the others are drawn. */
const told = (path) => ask(path).catch(() => null);

let looking = null;

function look() {
  looking ??= once().finally(() => { looking = null; });
  return looking;
}

async function once() {
  try {
    const { servers } = await ask('/api/v1/servers');
    const seen = await Promise.all(servers.map(async (server) => {
      const path = `/api/v1/servers/${server.server_id}`;
      const [status, onboarding] = await Promise.all([told(`${path}/status`), told(`${path}/onboarding-status`)]);
      return [server, status, onboarding];
    }));
    for (const parts of seen) draw(...parts);
    for (const [id, card] of cards) if (!servers.some((server) => server.server_id === id)) { card.node.remove(); cards.delete(id); }
    const run = servers.filter((server) => server.stream.state === 'running').length;
    const line = servers.length ? `${servers.length} registered, ${run} running` : 'No server is registered yet: the form below does it.';
    if ($('said').textContent !== line) $('said').textContent = line;
    const { audit } = await ask('/api/v1/audit?limit=20');
    replace($('audit'), audit.map((entry) => el('li', {}, el('span', { class: 'code' }, time(entry.at)), ` ${entry.action.replaceAll('_', ' ')} `, el('b', {}, entry.target), el('span', { class: 'note' }, ` ${entry.who}, ${entry.peer}`))));
    document.body.classList.remove('stale');
  } catch (error) {
    document.body.classList.add('stale');
    trouble(error.message);
  }
}

/** What the form says, as a registration has it. */
function filled() {
  const value = (name) => $(name).value.trim();
  const list = (name) => value(name).split(',').map((part) => part.trim()).filter(Boolean);
  const parameters = {};
  for (const name of ['schemas', 'tables']) if (list(name).length) parameters[name] = list(name);
  for (const name of ['batch_size', 'checkpoint_interval']) if (value(name)) parameters[name] = Number(value(name));
  for (const name of ['ssl_mode', 'ssl_ca']) if (value(name)) parameters[name] = value(name);
  const body = { name: value('name'), host: value('host'), port: Number(value('port')), user: value('user'), parameters };
  if ($('password').value) body.password = $('password').value;
  return body;
}

/** Of a server that is changed, what the form said at first; `null` for a new one. */
let changed = null;

/** What was changed in the form, as a merge patch has it: what was emptied is back to its default. */
function patch() {
  const differs = (now, was) => Object.fromEntries(Object.keys({ ...was, ...now })
    .filter((name) => name !== 'parameters' && JSON.stringify(now[name]) !== JSON.stringify(was[name])).map((name) => [name, now[name] ?? null]));
  const now = filled();
  return { ...differs(now, changed.was), parameters: differs(now.parameters, changed.was.parameters) };
}

function wording(title, submit, password) {
  $('register-title').textContent = title;
  $('submit').textContent = submit;
  $('password').placeholder = password;
  $('cancel').hidden = !changed;
  $('test').hidden = Boolean(changed);
}

function edit(server) {
  $('register').reset();
  for (const name of ['name', 'host', 'port', 'user']) $(name).value = server[name];
  for (const [name, value] of Object.entries(server.parameters)) if ($(name)) $(name).value = Array.isArray(value) ? value.join(', ') : value ?? '';
  changed = { id: server.server_id, was: filled() };
  wording(`Change ${server.name}`, 'Save', 'stays as it is');
  refused('');
  $('trial').replaceChildren();
  $('name').focus();
}

/** The form is for a new server again. */
function done(id) {
  changed = null;
  $('register').reset();
  wording('Register a server', 'Register', '');
  refused('');
  $('trial').replaceChildren();
  return cards.get(id);
}

function refused(line) {
  $('refused').hidden = !line;
  $('refused').textContent = line;
}

$('register').addEventListener('submit', async (event) => {
  event.preventDefault();
  refused('');
  try {
    const server = await (changed ? send('PATCH', `/api/v1/servers/${changed.id}`, patch()) : send('POST', '/api/v1/servers', filled()));
    const next = changed ? 'edit' : 'start';
    await look();
    done(server.server_id)?.[next].focus();
  } catch (error) {
    refused(error.message);
  }
});

$('cancel').addEventListener('click', () => done(changed.id)?.edit.focus());

$('test').addEventListener('click', async () => {
  if (!$('register').reportValidity()) return;
  refused('');
  $('test').disabled = true;
  $('trial').replaceChildren(el('p', { class: 'note' }, 'Doctor looks at it…'));
  try {
    const report = await send('POST', '/api/v1/servers/test', filled());
    const findings = [...report.sources, report.index].flatMap((part) => part.findings.map((finding) => ({ ...finding, place: part.place })));
    const bad = findings.filter((finding) => ['warning', 'error'].includes(finding.severity));
    $('trial').replaceChildren(
      el('p', {}, el('b', {}, report.ready ? 'Ready to stream' : 'Not ready to stream'), `: ${report.errors} errors, ${report.warnings} warnings, ${findings.length} checks`),
      el('ul', { class: 'steps' }, bad.map((finding) => el('li', { class: finding.severity === 'error' ? 'failed' : 'pending' }, el('span', { 'aria-hidden': 'true' }, `${WORDS[finding.severity]} `), `${finding.check}: ${finding.message}`,
        finding.fix.map((fix) => el('span', { class: 'why code' }, ` ${fix.text}`))))));
  } catch (error) {
    $('trial').replaceChildren();
    refused(error.message);
  }
  $('test').disabled = false;
});

look();
setInterval(() => { if (!document.hidden) look(); }, EVERY);
