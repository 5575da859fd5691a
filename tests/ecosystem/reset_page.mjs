// A person with a browser (Chromium, driven by playwright-core) and a reset link. Reads {link, weak, password, browser,
// scripts} from standard input and prints what was seen.
import { launch, told } from './browser.mjs';

const { link, weak, password, browser: executablePath, scripts } = await told();

const browser = await launch(executablePath);
const saw = { opened: [], elsewhere: [], complaints: [] };
try {
  const context = await browser.newContext({ javaScriptEnabled: scripts });
  const page = await context.newPage();
  const own = new URL(link).origin;
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== own) saw.elsewhere.push(request.url());
  });
  page.on('pageerror', (error) => saw.complaints.push(String(error)));
  page.on('console', (message) => {
    // The status of a refused form is reported as an error too; a broken policy says so in words.
    if (message.type() === 'error' && !message.text().includes('status of 4')) saw.complaints.push(message.text());
  });

  const first = await page.goto(link);
  saw.opened.push(first.status());
  saw.policy = first.headers()['content-security-policy'];
  saw.referrer = first.headers()['referrer-policy'];
  saw.opened.push((await page.reload()).status());

  const submit = async (text) => {
    await page.getByLabel(/new password/i).fill(text);
    const [answer] = await Promise.all([
      page.waitForResponse((response) => response.request().method() === 'POST'),
      page.getByRole('button', { name: /set password/i }).click(),
    ]);
    await page.waitForLoadState();
    return answer.status();
  };
  saw.weak = { status: await submit(weak) };
  saw.weak.alert = await page.getByRole('alert').innerText();
  saw.done = { status: await submit(password), heading: await page.getByRole('heading').innerText() };
  saw.reopened = (await page.goto(link)).status();
} finally {
  await browser.close();
}
console.log(JSON.stringify(saw));
