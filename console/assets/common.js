// What the pages share. Text goes into the page as text only.

/** An element: attributes, then children. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === 'on') for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const number = (value) => Number(value).toLocaleString('en', { maximumFractionDigits: 1 });

export function bytes(value) {
  if (value === null || value === undefined) return '–';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let size = Number(value);
  while (size >= 1024 && at < units.length - 1) { size /= 1024; at += 1; }
  return `${size.toLocaleString('en', { maximumFractionDigits: at && size < 100 ? 1 : 0 })} ${units[at]}`;
}

/** A length of time, by its two largest units. */
export function length(seconds) {
  if (seconds === null || seconds === undefined) return 'not known';
  if (seconds < 1) return seconds === 0 ? '0 s' : `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const units = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  const first = units.findIndex(([, size]) => seconds >= size);
  const out = [];
  let rest = seconds;
  for (const [unit, size] of units.slice(first, first + 2)) {
    if (rest >= size) out.push(`${Math.floor(rest / size)} ${unit}`);
    rest %= size;
  }
  return out.join(' ');
}

/** `2026-11-25 12:30:01.5`, of a time as the index tells it. */
export function time(text, fraction = false) {
  if (!text) return '–';
  const shown = text.replace('T', ' ').replace('Z', '');
  return fraction ? shown.replace(/\.?0+$/, '') : shown.replace(/\..*/, '');
}

export const since = (text, now) => (Date.parse(now) - Date.parse(text)) / 1000;

/** JSON from the console; an Error with its line where there is none. */
export async function ask(path) {
  const response = await fetch(path, { headers: { Accept: 'application/json' } });
  if (response.status === 401) { location.assign('/login'); throw new Error('log in first'); }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the console answered ${response.status}`);
  return answer;
}

/** As `ask`, for what changes something. */
export async function send(method, path, body) {
  const headers = { Accept: 'application/json', 'X-CSRF-Token': csrf };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (response.status === 401) { location.assign('/login'); throw new Error('log in first'); }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the console answered ${response.status}`);
  return answer;
}

/** A button for what cannot be taken back: it asks first. */
export function sure(text, question, then, label = null) {
  const node = el('button', { type: 'button', class: 'quiet', 'aria-label': label });
  node.textContent = text;
  node.addEventListener('click', () => {
    if (node.dataset.sure) { then(node); return; }
    node.dataset.sure = 'yes';
    node.textContent = question;
    node.removeAttribute('aria-label');
    setTimeout(() => {
      delete node.dataset.sure;
      node.textContent = text;
      if (label) node.setAttribute('aria-label', label);
    }, 8000);
  });
  return node;
}

const csrf = document.querySelector('meta[name=csrf]')?.content;
const logout = document.getElementById('logout');
if (logout && csrf) {
  logout.hidden = false;
  logout.addEventListener('click', async () => {
    await fetch('/logout', { method: 'POST', headers: { 'X-CSRF-Token': csrf } });
    location.assign('/login');
  });
}
