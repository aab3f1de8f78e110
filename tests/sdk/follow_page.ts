/** `examples/streams/follow.html` as a person uses it; prints what it shows when the log is whole. */

import { writeFileSync } from "node:fs";

import { chromium } from "playwright-core";

const [page_url, url, path, token, browserPath, begun] = process.argv.slice(2) as string[];

const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(180_000);
  await page.goto(page_url!);
  for (const [name, value] of Object.entries({ url, path, token })) {
    await page.locator(`input[name=${name}]`).fill(value!);
  }
  await page.getByRole("button", { name: "Follow" }).click();
  await page.locator("#log", { hasText: "line 10\n" }).waitFor();
  writeFileSync(begun!, "");
  await page.locator("#state", { hasText: "whole" }).waitFor();
  process.stdout.write((await page.locator("#log").textContent())!);
  process.stderr.write((await page.locator("#state").textContent())!);
} finally {
  await browser.close();
}
