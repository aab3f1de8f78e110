/** `/docs` as a person uses it: log in by "Authorize", run a list by "Try it out"; a picture of it. */

import assert from "node:assert/strict";

import { chromium } from "playwright-core";

const [url, token, browserPath, picture] = process.argv.slice(2) as [string, string, string, string];

const browser = await chromium.launch({
  executablePath: browserPath,
  args: ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1600 } });
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.setDefaultTimeout(60_000);

  await page.goto(`${url}/docs`);
  await page.getByRole("button", { name: "Authorize" }).first().click();
  const dialog = page.locator(".modal-ux");
  const bearer = dialog.locator(".auth-container", { hasText: "bearer" });
  await bearer.getByRole("textbox").fill(token);
  await bearer.getByRole("button", { name: "Apply credentials" }).click();
  await dialog.getByRole("button", { name: "Close" }).first().click();

  const list = page.locator("#operations-experiments-list_all_experiments");
  await list.scrollIntoViewIfNeeded();
  await list.locator(".opblock-summary-control").click();
  const answered = page.waitForResponse((response) => response.url().includes("/api/v1/experiments"));
  await list.getByRole("button", { name: "Execute" }).click();
  const answer = await answered;
  assert.equal(answer.status(), 200);
  assert.equal(answer.request().headers()["authorization"], `Bearer ${token}`);
  const shown = list.locator(".live-responses-table .response .microlight").first();
  await shown.waitFor();
  assert.match((await shown.textContent())!, /"unique_name": "root\.open\.\d+"/);
  await list.scrollIntoViewIfNeeded();
  await page.screenshot({ path: picture });

  assert.deepEqual(requests.filter((one) => !one.startsWith(`${url}/`) && !one.startsWith("data:")), []);
  assert.ok(requests.length >= 5);
  assert.deepEqual(complaints, []);
} finally {
  await browser.close();
}
