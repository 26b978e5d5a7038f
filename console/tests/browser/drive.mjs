// A person at the console, in a real Chromium. Asks the test that started it to do things to the source and the stream,
// a line each: `do NAME`, and goes on when that answers `done`.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

const { CONSOLE_URL: url, CONSOLE_SOURCE_PORT: port, CONSOLE_SETUP: setup, CONSOLE_PASSWORD: password, CONSOLE_SHOTS: shots } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const ask = async (name) => {
  console.log(`do ${name}`);
  const { value } = await answers.next();
  assert.equal(value, 'done', name);
};
const step = (text) => console.log(`# ${text}`);

const browser = await chromium.launch({ executablePath: process.env.BINTRAIL_CHROMIUM });
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: 'light', acceptDownloads: true });
const page = await context.newPage();
page.setDefaultTimeout(120_000);
const complaints = [];
page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
page.on('console', (message) => { if (message.type() === 'error' && !/Failed to load resource/.test(message.text())) complaints.push(message.text()); });
// Nothing but the console is asked for anything.
page.on('request', (request) => { if (!request.url().startsWith(url)) complaints.push(`asked for ${request.url()}`); });

let shot = 0;
const picture = async (name) => { if (shots) await page.screenshot({ path: `${shots}/${name}.png` }); shot += 1; };

/** No serious or critical violation, on the page as it is. */
async function accessible(what) {
  // Colours on their way to others are nobody's.
  await page.evaluate(() => Promise.allSettled(document.getAnimations().map((animation) => animation.finished)));
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(async () => globalThis.axe.run(document));
  const bad = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join('\n')}`);
  assert.deepEqual(bad, [], what);
}

/** Nothing is wider than the screen. */
async function fits(what) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${what}: ${wide} > ${room}`);
}

const verdict = (name) => page.locator(`#headline.${name}`).waitFor();
const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

step('first run');
await page.goto(url + setup);
await accessible('setup');
await page.getByLabel('Password').fill(password);
await page.getByLabel('The same again').fill(`${password}?`);
await page.getByRole('button', { name: 'Set it and log in' }).click();
await page.getByRole('alert').getByText('differ').waitFor();
await page.getByLabel('Password').fill(password);
await page.getByLabel('The same again').fill(password);
await page.getByRole('button', { name: 'Set it and log in' }).click();
await page.waitForURL(`${url}/`);

step('it streams');
await verdict('ok');
await ask('rows');
const rows = page.locator('.tile', { hasText: 'Row changes' }).locator('.value');
await page.waitForFunction(() => document.querySelector('.tile .value')?.textContent === '124');
assert.equal(await rows.textContent(), '124');
await page.getByRole('img', { name: /^Lag from/ }).waitFor();
await page.getByRole('img', { name: /^Row changes a second from/ }).waitFor();
await page.getByRole('img', { name: /^Covered from .* 124 row changes/ }).waitFor();
await ask('status ok');
await page.waitForFunction(() => document.querySelectorAll('.plot .line').length === 2);
await accessible('streams');
await fits('streams');
await picture('streams');
const sizes = await page.evaluate(() => [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
  .filter(({ name }) => !name.includes('/api/')).reduce((sum, { transferSize }) => sum + transferSize, 0));
assert.ok(sizes < 200_000, `${sizes} bytes`);

step('keyboard');
await page.goto(`${url}/`);
await page.keyboard.press('Tab');
assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
await page.keyboard.press('Enter');
await page.waitForFunction(() => location.hash === '#main');

step('changes');
await page.getByRole('link', { name: 'Changes', exact: true }).first().click();
await page.getByText('50 row changes, and there are more').waitFor();
await page.getByRole('button', { name: 'More' }).click();
await page.getByText('100 row changes, and there are more').waitFor();
await page.getByRole('button', { name: 'More' }).click();
await page.getByText(/^124 row changes ·/).waitFor();
const ids = await page.locator('.change .what').allTextContents();
assert.equal(ids.length, 124);
await page.getByLabel('Schema').fill('shop');
await page.getByLabel('Table').fill('orders');
await page.getByLabel('Changed column').fill('status');
await page.getByLabel('Column = value').fill('status=paid');
await page.keyboard.press('Enter');
await page.getByText(/^1 row change ·/).waitFor();
assert.match(page.url(), /changed_column=status/);
const change = page.locator('.change');
assert.match(await change.locator('.gist').textContent(), /status new → paid/);
// By keyboard.
await change.locator('summary').focus();
await page.keyboard.press('Enter');
const line = (name) => change.locator('tr', { has: page.getByRole('rowheader', { name }) });
await line(/^status/).waitFor();
assert.deepEqual(await line(/^status/).getByRole('cell').allTextContents(), ['new', 'paid']);
assert.deepEqual(await line(/^big/).getByRole('cell').allTextContents(), ['18446744073709551615', '18446744073709551615']);
assert.deepEqual(await line(/^price/).getByRole('cell').allTextContents(), ['12345678901234567890.10', '12345678901234567890.10']);
assert.deepEqual(await line(/^note/).getByRole('cell').allTextContents(), ['NULL', '<b>"late"</b> & paid']);
await accessible('changes');
await picture('changes');
await page.getByRole('link', { name: 'This row’s life' }).click();
await page.getByText(/^3 row changes/).waitFor();
assert.deepEqual(await page.locator('.change .kind').allTextContents(), ['insert', 'update', 'delete']);
await page.locator('.change.update summary').click();
await page.getByRole('link', { name: /^The transaction/ }).click();
await page.getByText(/^2 row changes/).waitFor();
await page.goto(`${url}/changes?table=orders&event_type=delete`);
await page.getByText(/^1 row change ·/).waitFor();
await page.goto(`${url}/changes?table=orders&changed_column=nonsense`);
await page.getByRole('alert').getByText('no table asked about').waitFor();

step('exports');
await page.goto(`${url}/changes?table=items`);
await page.getByText('50 row changes, and there are more').waitFor();
for (const format of ['JSON', 'CSV']) {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: format }).click()]);
  const text = readFileSync(await download.path(), 'utf8');
  if (format === 'JSON') assert.equal(JSON.parse(text).length, 120);
  else assert.equal(text.trim().split('\n').length, 121);
}

step('pages of the answer');
const events = async (params) => {
  const response = await context.request.get(`${url}/api/v1/events?${new URLSearchParams(params)}`);
  assert.equal(response.status(), 200);
  return response.json();
};
for (const order of ['asc', 'desc']) {
  const whole = (await events({ order, limit: 1000 })).events.map(({ change_id: id }) => id);
  assert.equal(whole.length, 124);
  const paged = [];
  for (let next = ''; next !== null;) {
    const part = await events({ order, limit: 7, after: next });
    paged.push(...part.events.map(({ change_id: id }) => id));
    next = part.next;
  }
  assert.deepEqual(paged, whole, order);
}

step('schema changes');
await page.getByRole('link', { name: 'Schema' }).click();
await page.getByText('CREATE TABLE shop.orders').waitFor();
await accessible('schema');

step('dark');
const light = await paper();
await page.emulateMedia({ colorScheme: 'dark' });
const dark = await paper();
assert.notEqual(light, dark);
await page.getByRole('button', { name: 'Theme: system' }).click();
assert.equal(await paper(), light);
await page.getByRole('button', { name: 'Theme: light' }).click();
assert.equal(await paper(), dark);
await page.emulateMedia({ colorScheme: 'light' });
await page.reload();
assert.equal(await paper(), dark, 'the choice is kept');
await accessible('schema, dark');
await page.goto(`${url}/changes?table=orders`);
await page.locator('.change.update summary').first().click();
await accessible('changes, dark');
await page.goto(`${url}/`);
await verdict('ok');
await accessible('streams, dark');
await picture('streams-dark');

step('phone');
await page.setViewportSize({ width: 390, height: 844 });
await fits('streams on a phone');
await accessible('streams on a phone');
await picture('streams-phone');
await page.goto(`${url}/changes?table=orders`);
await page.locator('.change.update summary').first().click();
await fits('changes on a phone');
await accessible('changes on a phone');
await page.goto(`${url}/schema`);
await fits('schema on a phone');
await page.setViewportSize({ width: 1280, height: 800 });

step('a failing source');
await page.goto(`${url}/`);
await verdict('ok');
await ask('source-down');
await verdict('stalled');
await page.locator('.card.stalled', { hasText: 'the stream waits for its source' }).waitFor();
await page.locator('.card > header .badge', { hasText: 'source down' }).waitFor();
await ask('status stalled');
await accessible('a failing source');
await picture('failing-source');
await ask('source-up');
await verdict('ok');

step('a stream that ends');
await ask('stream-down');
await verdict('stopped');
await page.locator('#headline', { hasText: 'start `bintrail stream`' }).waitFor();
await ask('status stopped');
await ask('stream-up');
await verdict('ok');

step('a server is registered');
await page.getByRole('button', { name: 'Theme: dark' }).click();
assert.equal(await paper(), light);
await ask('stream-gone');
await page.getByRole('link', { name: 'Servers' }).click();
await page.getByText('No server is registered yet').waitFor();
await accessible('no servers');
const form = page.locator('#register');
const fill = async (values) => { for (const [label, value] of Object.entries(values)) await form.getByLabel(label, { exact: true }).fill(value); };
await fill({ Name: 'Shop', Host: '127.0.0.1', Port: '1', User: 'root', 'Checkpoint, seconds': '1' });
await page.getByRole('button', { name: 'Test' }).click();
await page.locator('#trial', { hasText: 'Not ready to stream' }).waitFor();
await accessible('a test that fails');
await fill({ Port: port });
await page.getByRole('button', { name: 'Test' }).click();
await page.locator('#trial b', { hasText: /^Ready to stream$/ }).waitFor();
await fill({ 'Schemas, by commas': 'a,,b' });
await page.getByRole('button', { name: 'Register' }).click();
const card = (name) => page.locator('#servers > article', { has: page.getByRole('heading', { name, exact: true }) });
const well = '(running|idle)';
const says = (name, word) => card(name).locator('.badge', { hasText: new RegExp(`^${word}$`) }).waitFor();
await says('Shop', 'stopped');
await card('Shop').getByText('Checked by doctor: done').waitFor();
// All of the schemas after all: another registration at that place is refused.
await fill({ Name: 'Shop again', Host: '127.0.0.1', Port: port, User: 'root' });
await page.getByRole('button', { name: 'Register' }).click();
await page.locator('#refused', { hasText: 'another server is registered at that host and port' }).waitFor();

step('its stream is watched');
// By keyboard.
await card('Shop').getByRole('button', { name: 'Edit' }).focus();
await page.keyboard.press('Enter');
await page.getByRole('heading', { name: 'Change Shop' }).waitFor();
assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
assert.equal(await form.getByLabel('Schemas, by commas').inputValue(), 'a, b');
assert.equal(await form.getByLabel('Password').inputValue(), '');
await accessible('a server is changed');
await page.getByRole('button', { name: 'Cancel' }).click();
await page.getByRole('heading', { name: 'Register a server' }).waitFor();
assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Edit');
await page.keyboard.press('Enter');
await fill({ 'Schemas, by commas': '', 'Checkpoint, seconds': '0' });
await form.getByLabel('Checkpoint, seconds').evaluate((node) => node.removeAttribute('min'));
await form.getByLabel('Name').press('Enter');
await page.locator('#refused', { hasText: 'checkpoint_interval' }).waitFor();
await fill({ 'Checkpoint, seconds': '2' });
await form.getByLabel('Name').press('Enter');
await page.getByRole('heading', { name: 'Register a server' }).waitFor();
await card('Shop').getByText('What it is started with').click();
const started = async (name) => card('Shop').locator('dt', { hasText: new RegExp(`^${name}$`) }).locator('xpath=following-sibling::dd[1]').textContent();
assert.deepEqual([await started('schemas'), await started('checkpoint_interval'), await started('batch_size')], ['all', '2', '1000']);
await card('Shop').getByRole('button', { name: 'Start' }).click();
await says('Shop', well);
await card('Shop').getByText('First checkpoint saved: done').waitFor();
await ask('another-row');
await page.goto(`${url}/changes?table=orders&pk=2`);
await page.getByText(/^1 row change ·/).waitFor();
await page.goto(`${url}/servers`);
await says('Shop', well);
await accessible('servers');
await fits('servers');
await picture('servers');

step('a failing source, of a stream that has streamed');
await ask('source-down');
await says('Shop', 'source down');
await ask('source-up');
await says('Shop', well);

step('stop and start');
await card('Shop').getByRole('button', { name: 'Stop' }).click();
await says('Shop', 'stopped');
await ask('status stopped');
await card('Shop').getByRole('button', { name: 'Start' }).click();
await says('Shop', well);

step('a source that cannot be entered');
await fill({ Name: 'Till', Host: 'localhost', Port: port, User: 'root', Password: 'not the password' });
await page.getByRole('button', { name: 'Register' }).click();
await card('Till').getByText('Checked by doctor: failed').waitFor();
await card('Till').getByRole('button', { name: 'Start' }).click();
await says('Till', 'failed');
await card('Till').getByText('what a restart does not mend').waitFor();
await accessible('a server that fails');
await picture('servers-failing');

step('servers, dark and on a phone');
await page.emulateMedia({ colorScheme: 'dark' });
assert.equal(await paper(), dark);
await accessible('servers, dark');
await picture('servers-dark');
await page.setViewportSize({ width: 390, height: 844 });
await fits('servers on a phone');
await accessible('servers on a phone');
await picture('servers-phone');
await page.setViewportSize({ width: 1280, height: 800 });
await page.emulateMedia({ colorScheme: 'light' });

step('a server is decommissioned');
await card('Till').getByRole('button', { name: 'Decommission' }).click();
await card('Till').getByRole('button', { name: 'Really?' }).click();
await card('Till').waitFor({ state: 'detached' });
await says('Shop', well);
await page.locator('#audit', { hasText: 'decommission server' }).waitFor();

step('tokens');
await page.getByRole('link', { name: 'Tokens' }).click();
await page.getByText('No token was made yet.').waitFor();
await accessible('no tokens');
await page.getByLabel('Name', { exact: true }).fill('Prometheus');
await page.getByLabel('Expires after, days').fill('30');
await page.getByLabel('write').focus();
await page.keyboard.press('Space');
await page.getByRole('button', { name: 'Make it' }).focus();
await page.keyboard.press('Enter');
await page.getByText('it is not shown again').waitFor();
const secret = await page.locator('#secret').inputValue();
assert.equal(await page.evaluate(() => getSelection().toString() || document.activeElement.value), secret);
const asks = async (method, path) => (await fetch(url + path, { method, headers: { Authorization: `Bearer ${secret}` } })).status;
assert.equal(await asks('GET', '/metrics'), 200);
assert.equal(await asks('DELETE', '/api/v1/servers/shop'), 403);
assert.equal((await fetch(`${url}/metrics`)).status, 401);
await accessible('a token is made');
await fits('tokens');
// No picture of a token, also of one that is revoked.
await page.locator('#secret').evaluate((node) => { node.value = node.value.replace(/(?<=.{4})./g, '•'); });
await picture('tokens');
await page.reload();
const token = page.getByRole('row', { name: /Prometheus/ });
await token.getByText('read, write').waitFor();
assert.ok(!(await page.content()).includes(secret), 'it is shown once');
await page.getByRole('button', { name: 'Revoke Prometheus' }).click();
await page.getByRole('button', { name: 'Really?' }).click();
await token.getByText(/^revoked/).waitFor();
assert.equal(await asks('GET', '/metrics'), 401);
await page.setViewportSize({ width: 390, height: 844 });
await fits('tokens on a phone');
await accessible('tokens on a phone');
await page.setViewportSize({ width: 1280, height: 800 });
await page.emulateMedia({ colorScheme: 'dark' });
await accessible('tokens, dark');
await page.emulateMedia({ colorScheme: 'light' });

step('log out, and in again');
await page.getByRole('button', { name: 'Log out' }).click();
await page.waitForURL(`${url}/login`);
await accessible('login');
await page.goto(`${url}/changes`);
await page.waitForURL(`${url}/login`);
await page.getByLabel('Password or token').fill('not the password');
await page.getByRole('button', { name: 'Log in' }).click();
await page.getByRole('alert').getByText('That is not the password.').waitFor();
await page.getByLabel('Password or token').fill(password);
await page.getByRole('button', { name: 'Log in' }).click();
await page.waitForURL(`${url}/`);
await verdict('ok');
await page.goto(`${url}/servers`);
await card('Shop').getByRole('button', { name: 'Stop' }).click();
await says('Shop', 'stopped');

assert.deepEqual(complaints, []);
await browser.close();
console.log('# all done');
process.exit(0);
