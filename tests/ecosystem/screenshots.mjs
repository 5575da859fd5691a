// Pictures of the board for docs/pictures, by scripts/screenshots. Reads {browser, shots: [{link, path, scheme, width,
// height, open, to}]} from standard input: `open` is the line to open, `to` the picture to scroll to.
import { chromium } from 'playwright-core';

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { browser: executablePath, shots } = JSON.parse(input);

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
try {
  for (const { link, path, scheme, width, height, open, to } of shots) {
    const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height } });
    const page = await context.newPage();
    await page.goto(link);
    await Promise.all([page.waitForNavigation(), page.getByRole('button', { name: 'Open', exact: true }).click()]);
    if (open) await page.locator('.lines summary', { hasText: open }).click();
    if (to) await page.locator(to).first().scrollIntoViewIfNeeded();
    await page.screenshot({ path });
    await context.close();
  }
} finally {
  await browser.close();
}
