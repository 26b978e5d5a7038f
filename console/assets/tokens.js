import { ask, el, send, sure, time } from './common.js';

const $ = (id) => document.getElementById(id);

function trouble(line) {
  $('trouble').hidden = !line;
  $('trouble').textContent = line;
}

async function revoke(token) {
  try {
    await send('DELETE', `/api/v1/tokens/${token.token_id}`);
    trouble('');
  } catch (error) {
    trouble(error.message);
  }
  await look();
  $('name').focus();
}

function row(token) {
  const holds = !token.revoked_at && !(token.expires_at && Date.parse(token.expires_at) <= Date.now());
  const now = token.revoked_at ? `revoked ${time(token.revoked_at)}` : 'expired';
  return el('tr', {}, el('th', { scope: 'row' }, token.name), el('td', {}, token.scopes.join(', ')), el('td', {}, time(token.created_at)),
    el('td', {}, token.last_used_at ? time(token.last_used_at) : 'never'), el('td', {}, token.expires_at ? time(token.expires_at) : 'never'),
    el('td', {}, holds ? sure('Revoke', 'Really? Programs with it are shut out', () => revoke(token), `Revoke ${token.name}`) : now));
}

async function look() {
  try {
    const { tokens } = await ask('/api/v1/tokens');
    $('tokens').replaceChildren(...tokens.map(row));
    const hold = $('tokens').querySelectorAll('button').length;
    $('said').textContent = tokens.length ? `${hold} of ${tokens.length} hold` : 'No token was made yet.';
  } catch (error) {
    trouble(error.message);
  }
}

$('make').addEventListener('submit', async (event) => {
  event.preventDefault();
  trouble('');
  $('made').replaceChildren();
  const body = { name: $('name').value.trim(), scopes: [...document.querySelectorAll('[name=scope]:checked')].map(({ value }) => value) };
  if ($('expires').value) body.expires_in_days = Number($('expires').value);
  try {
    const { secret, token } = await send('POST', '/api/v1/tokens', body);
    const shown = el('input', { id: 'secret', class: 'code', readonly: true, value: secret });
    $('made').replaceChildren(el('label', { for: 'secret' }, `The token ${token.name}: take it along now, it is not shown again`), shown);
    $('make').reset();
    await look();
    shown.focus();
    shown.select();
  } catch (error) {
    trouble(error.message);
  }
});

look();
