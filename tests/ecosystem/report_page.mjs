// A reader with a browser (Chromium, driven by playwright-core) and the HTML report as a file. axe-core judges whether
// everybody can read it, in light and in dark. Reads {page, axe, browser} from standard input and prints what was seen.
import { readFile } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { launch, told } from './browser.mjs';

const { page: file, axe, browser: executablePath } = await told();
const address = pathToFileURL(file).href;
const judge = await readFile(axe, 'utf8');

const browser = await launch(executablePath);
const saw = { loaded: [], complaints: [], barriers: {}, grounds: {} };
try {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    page.on('request', (request) => saw.loaded.push(request.url() === address ? 'the page' : request.url()));
    page.on('pageerror', (error) => saw.complaints.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error') saw.complaints.push(message.text());
    });
    await page.goto(address);
    saw.grounds[colorScheme] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    // Opened, so that what is inside is judged too.
    await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
    await page.evaluate(judge);
    const { violations } = await page.evaluate(() =>
      window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }),
    );
    saw.barriers[colorScheme] = violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`,
    );
    await context.close();
  }
  const context = await browser.newContext({ viewport: { width: 390, height: 800 }, javaScriptEnabled: true });
  const page = await context.newPage();
  await page.goto(address);
  saw.phone = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, screen: window.innerWidth }));
  // By keyboard alone: the first thing that takes the focus and opens.
  const focused = () => page.evaluate(() => document.activeElement?.tagName);
  for (let step = 0; step < 20 && (await focused()) !== 'SUMMARY'; step++) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  saw.opened = await page.evaluate(() => document.activeElement?.parentElement?.open);
  // On paper everything is open.
  await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = false)));
  await page.emulateMedia({ media: 'print' });
  saw.printed = await page.evaluate(() =>
    [...document.querySelectorAll('details > div')].every((one) => one.getBoundingClientRect().height > 0),
  );
  await context.close();
} finally {
  await browser.close();
}
console.log(JSON.stringify(saw));
