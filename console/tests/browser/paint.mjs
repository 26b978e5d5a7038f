// How soon the console's pages are there, in a real Chromium: the browser's own first contentful paint, and when what the
// index was asked for stands on the page. Each page ten times, and each time as to one who was never here. Prints a table.
import { chromium } from 'playwright-core';

const { CONSOLE_URL: url, CONSOLE_TOKEN: token } = process.env;
const PAGES = [['Streams', '/', '#sources article'], ['Changes', '/changes', '#found li'], ['Schema', '/schema', '#found li']];
const TIMES = 10;

const browser = await chromium.launch({ executablePath: process.env.BINTRAIL_CHROMIUM });
const door = await browser.newContext();
const page = await door.newPage();
await page.goto(`${url}/login`);
await page.getByLabel('Password or token').fill(token);
await page.getByRole('button', { name: 'Log in' }).click();
await page.waitForURL(`${url}/`);
const entered = await door.storageState();

/** The first contentful paint, and when `filled` is there, in milliseconds from the navigation's start. */
async function visit(path, filled) {
  const context = await browser.newContext({ storageState: entered, viewport: { width: 1280, height: 800 } });
  const fresh = await context.newPage();
  await fresh.addInitScript((wanted) => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector(wanted)) return;
      globalThis.filledAt = performance.now();
      observer.disconnect();
    }).observe(document, { childList: true, subtree: true });
  }, filled);
  await fresh.goto(url + path);
  await fresh.waitForFunction(() => globalThis.filledAt && performance.getEntriesByName('first-contentful-paint').length, null, { timeout: 60_000 });
  const times = await fresh.evaluate(() => [performance.getEntriesByName('first-contentful-paint')[0].startTime, globalThis.filledAt]);
  await context.close();
  return times;
}

console.log('| page | first paint, ms: median | slowest | filled, ms: median | slowest |\n|---|--:|--:|--:|--:|');
for (const [name, path, filled] of PAGES) {
  const all = [];
  for (let time = 0; time < TIMES; time += 1) all.push(await visit(path, filled));
  const [paint, full] = [0, 1].map((at) => all.map((times) => Math.round(times[at])).sort((one, other) => one - other));
  const middle = (sorted) => sorted[TIMES / 2];
  console.log(`| ${name} | ${middle(paint)} | ${paint.at(-1)} | ${middle(full)} | ${full.at(-1)} |`);
}
await browser.close();
