// An administrator with a browser (Chromium, driven by playwright-core) and a one-time link. Reads {link, browser,
// scheme, width, height, scripts, signIn: {email, password}} from standard input and prints what was seen.
import { launch, told } from './browser.mjs';

const { link, browser: executablePath, scheme, width, height, scripts, signIn } = await told();

const browser = await launch(executablePath);
const saw = { elsewhere: [], complaints: [], statuses: [] };
try {
  const context = await browser.newContext({
    javaScriptEnabled: scripts,
    colorScheme: scheme,
    viewport: { width, height },
  });
  const page = await context.newPage();
  const own = new URL(link).origin;
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== own) saw.elsewhere.push(request.url());
  });
  page.on('pageerror', (error) => saw.complaints.push(String(error)));
  page.on('console', (message) => {
    // The status of a refused page is reported as an error too; a broken policy says so in words.
    if (message.type() === 'error' && !message.text().includes('status of 4')) saw.complaints.push(message.text());
  });
  const board = new URL('/console', link).href;

  // A stranger, then a preview of the link, then the person's own look.
  saw.statuses.push((await page.goto(board)).status());
  saw.statuses.push((await page.goto(link)).status());
  saw.statuses.push((await page.reload()).status());
  const press = async (name) => {
    await Promise.all([page.waitForNavigation(), page.getByRole('button', { name, exact: true }).click()]);
  };
  await press('Open');
  saw.address = page.url();
  saw.heading = await page.getByRole('heading', { level: 1 }).innerText();
  saw.lines = await page.locator('.lines > li').count();
  saw.boxes = await page.locator('.box[role=img]').count();
  const cookies = await context.cookies();
  saw.cookies = cookies.map(({ name, httpOnly, sameSite, secure }) => ({ name, httpOnly, sameSite, secure }));

  // By keyboard alone: the first line is opened with Enter.
  const first = page.locator('.lines summary').first();
  await first.focus();
  await page.keyboard.press('Enter');
  saw.opened = await page.locator('.lines details[open]').count();
  saw.claims = await page.locator('.lines details[open] .claims > li').count();
  saw.histories = await page.locator('.lines details[open] svg').count();
  saw.matrices = await page.locator('main > .frame svg').count();
  // Nothing is wider than the window: on a phone one scrolls down, not aside.
  if (scripts) {
    saw.overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    saw.ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }

  await press('Log out');
  saw.statuses.push((await page.goto(board)).status());
  saw.statuses.push((await page.goto(link)).status());

  if (signIn) {
    await page.goto(board);
    await page.locator('#username').fill(signIn.email);
    await page.locator('#password').fill('not-the-password-71');
    await press('Continue');
    saw.refused = await page.getByRole('alert').innerText();
    await page.locator('#username').fill(signIn.email);
    await page.locator('#password').fill(signIn.password);
    await press('Continue');
    saw.signedIn = await page.getByRole('heading', { level: 1 }).innerText();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(saw));
