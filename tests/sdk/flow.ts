/** An experiment's life through the client that hey-api's openapi-ts makes; written as its users write. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createWriteStream, mkdtempSync, openAsBlob, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { client } from "./client/client.gen";
import * as bunsen from "./client";
import type { Experiment, LogEnd, MetricCreate, Status } from "./client";

const user = process.env.BUNSEN_USER!;
const password = process.env.BUNSEN_PASSWORD!;
const project_name = "through-typescript";
const project = { username: user, project_name };
const done: Status[] = ["succeeded", "failed", "stopped"];

async function logIn() {
  client.setConfig({ baseUrl: process.env.BUNSEN_URL! });
  const { data, error } = await bunsen.createUserToken({ body: { username: user, password } });
  assert.ok(data, error?.detail);
  client.setConfig({ auth: data.token });
}

async function wait(id: number, words: Status[]): Promise<Experiment> {
  for (;;) {
    const { data } = await bunsen.getExperiment({ path: { ...project, id }, throwOnError: true });
    if (words.includes(data.last_status)) return data;
    await sleep(200);
  }
}

/** A project with code, and an experiment in it. */
async function make(folder: string): Promise<number> {
  const me = await bunsen.getCurrentUser({ throwOnError: true });
  assert.equal(me.data.username, user);
  await bunsen.createProject({ body: { name: project_name, tags: ["sdk"] }, throwOnError: true });
  writeFileSync(join(folder, "train.py"), process.env.TRAIN!);
  execFileSync("tar", ["-czf", "code.tar.gz", "train.py"], { cwd: folder });
  const repo = await openAsBlob(join(folder, "code.tar.gz"));
  const stored = await bunsen.uploadCode({ path: project, body: { repo }, throwOnError: true });
  assert.ok(stored.data.size > 0);

  const body = {
    name: "baseline",
    config: { version: 1, kind: "experiment", run: { cmd: "python3 train.py {{ lines }}" } },
    declarations: { lines: 400 },
  };
  const headers = { "Idempotency-Key": "once" };
  const made = await bunsen.createExperiment({ path: project, headers, body, throwOnError: true });
  const again = await bunsen.createExperiment({ path: project, headers, body, throwOnError: true });
  assert.equal(made.data.id, again.data.id);
  assert.equal(made.data.original, null);
  assert.deepEqual(made.data.config, body.config);
  return made.data.id;
}

/** Followed, cut after a hundred lines, taken up again at the next one. */
async function readLogs(id: number) {
  const path = { ...project, id };
  const lines: string[] = [];
  const cut = new AbortController();
  const first = await bunsen.getExperimentLogEvents({ path, query: { follow: true }, signal: cut.signal });
  let next = 0;
  for await (const event of first.stream) {
    if (event?.event !== "line") continue;
    lines.push(event.text);
    next = event.seq + 1;
    if (next === 100) break;
  }
  cut.abort();
  const rest = await bunsen.getExperimentLogEvents({ path, query: { follow: true, offset: next } });
  let end: LogEnd | undefined;
  for await (const event of rest.stream) {
    if (event?.event === "line") lines.push(event.text);
    if (event?.event === "end") end = event;
  }
  assert.deepEqual([end?.status, end?.last_seq], ["succeeded", 399]);
  assert.deepEqual(lines, Array.from({ length: 400 }, (_, number) => `line ${number}`));

  const tail = await bunsen.getExperimentLogs({ path, query: { tail: 2, seqs: true } });
  assert.equal(tail.data, "398 line 398\n399 line 399\n");
}

async function readStatusesAndJobs(id: number) {
  const path = { ...project, id };
  const experiment = await wait(id, done);
  assert.equal(experiment.last_status, "succeeded");
  assert.ok(experiment.started_at && experiment.finished_at);
  assert.ok(experiment.started_at < experiment.finished_at);

  const history = await bunsen.listExperimentStatuses({ path, query: { limit: 100 }, throwOnError: true });
  const words = history.data.results.map((row) => row.status);
  assert.equal(words.at(0), "created");
  assert.equal(words.at(-1), "succeeded");

  const jobs = await bunsen.listExperimentJobs({ path, throwOnError: true });
  assert.deepEqual(jobs.data.results.map((job) => [job.role, job.last_status]), [["master", "succeeded"]]);

  const query = { query: "status:succeeded", sort: "-created_at" };
  const found = await bunsen.listExperiments({ path: project, query, throwOnError: true });
  assert.deepEqual(found.data.results.map((row) => row.id), [id]);
  assert.equal(found.data.next, null);
}

async function readMetrics(id: number) {
  const path = { ...project, id };
  const point: MetricCreate = { values: { loss: 0.5, best: "Infinity" }, step: 0 };
  await bunsen.createExperimentMetric({ path, body: point, throwOnError: true });
  const points = Array.from({ length: 1000 }, (_, index) => ({
    values: { loss: 1 / (index + 1) },
    step: index + 1,
  }));
  for (let times = 0; times < 2; times++) {
    // sent again it changes nothing
    const body = { batch_id: "epoch-1", points };
    const stored = await bunsen.createExperimentMetricBatch({ path, body, throwOnError: true });
    assert.equal(stored.data.count, 1000);
  }
  const page = await bunsen.listExperimentMetrics({ path, query: { limit: 5 }, throwOnError: true });
  assert.equal(page.data.count, 1001);
  assert.ok(page.data.next);
  assert.equal(page.data.results[0]?.values.best, "Infinity");

  const query = { name: "loss", max_points: 10 };
  const thin = await bunsen.getExperimentMetricHistory({ path, query, throwOnError: true });
  assert.equal(thin.data.count, 1001);
  assert.ok(thin.data.points.length <= 10);
  assert.deepEqual([thin.data.points.at(0)?.step, thin.data.points.at(-1)?.step], [0, 1000]);
}

async function readOutputs(id: number, folder: string) {
  const path = { ...project, id };
  const listed = await bunsen.listOutputFiles({ path, throwOnError: true });
  assert.deepEqual(listed.data.results.map((row) => row.path), ["model.bin", "notes"]);
  const result = { ...path, path: "notes/result.txt" };
  const one = await bunsen.downloadOutputFile({ path: result, throwOnError: true });
  assert.equal(await one.data.text(), "done\n");
  const headers = { Range: "bytes=1-3" };
  const part = await bunsen.downloadOutputFile({ path: result, headers, throwOnError: true });
  assert.equal(await part.data.text(), "one");

  const target = join(folder, "outputs.tar.gz");
  const before = process.resourceUsage().maxRSS;
  const whole = await bunsen.downloadOutputs({ path, parseAs: "stream", throwOnError: true });
  assert.ok(whole.response.body);
  await pipeline(whole.response.body, createWriteStream(target));
  const grown = process.resourceUsage().maxRSS - before; // in KiB
  assert.ok(grown * 1024 < Number(process.env.OUTPUT_SIZE), `${grown} KiB more`);
  const shown = execFileSync("tar", ["-tvzf", target]).toString();
  assert.match(shown, new RegExp(` ${process.env.OUTPUT_SIZE} .* model.bin\n`));
}

async function useTensorboard(id: number) {
  const path = { ...project, id };
  const started = await bunsen.startTensorboard({ path });
  assert.ok(started.data, started.error?.detail);
  assert.ok(started.data.url);
  const there = await bunsen.getTensorboard({ path, throwOnError: true });
  assert.equal(there.data.status, "running");
  const stopped = await bunsen.stopTensorboard({ path, throwOnError: true });
  assert.equal(stopped.data.url, null);
}

async function mark(id: number) {
  const path = { ...project, id };
  await bunsen.bookmarkExperiment({ path, throwOnError: true });
  const marked = await bunsen.listBookmarkedExperiments({ path: { username: user }, throwOnError: true });
  assert.deepEqual(marked.data.results.map((row) => row.content_object.id), [id]);
  const unmarked = await bunsen.unbookmarkExperiment({ path });
  assert.equal(unmarked.response?.status, 204);
}

/** Restart, resume and copy; stopped and deleted. */
async function clone(id: number) {
  const call = { path: { ...project, id }, body: { declarations: { lines: 100_000_000 } } };
  const clones: Experiment[] = [];
  for (const begin of [bunsen.restartExperiment, bunsen.resumeExperiment, bunsen.copyExperiment]) {
    const { data } = await begin({ ...call, throwOnError: true });
    assert.ok(data.is_clone);
    assert.equal(data.original, `${user}.${project_name}.${id}`);
    clones.push(data);
  }
  const refused = await bunsen.resumeExperiment({ path: call.path });
  assert.deepEqual([refused.error?.status, refused.error?.code], [409, "conflict"]);

  const [restarted] = clones;
  assert.ok(restarted);
  await wait(restarted.id, ["running"]);
  for (const made of clones) {
    const path = { ...project, id: made.id };
    await bunsen.stopExperiment({ path, throwOnError: true });
    assert.equal((await wait(made.id, done)).last_status, "stopped");
    const gone = await bunsen.deleteExperiment({ path });
    assert.equal(gone.response?.status, 204);
  }
}

/** One of each kind of mistake, each a `Problem`. */
async function meetErrors(id: number) {
  const taken = await bunsen.createProject({ body: { name: project_name } });
  assert.deepEqual([taken.error?.status, taken.error?.code], [400, "invalid"]);
  assert.deepEqual(taken.error?.errors?.map((place) => [place.loc, place.type]), [[["name"], "taken"]]);

  const nobody = await bunsen.getCurrentUser({ auth: "none" });
  assert.deepEqual([nobody.error?.status, nobody.error?.code], [401, "not_authenticated"]);

  // Someone else's: read, not changed.
  const open = { username: "root", project_name: process.env.BUNSEN_PUBLIC! };
  const forbidden = await bunsen.createExperiment({ path: open });
  assert.deepEqual([forbidden.error?.status, forbidden.error?.code], [403, "forbidden"]);

  const missing = await bunsen.getExperiment({ path: { ...project, id: 10 ** 9 } });
  assert.deepEqual([missing.error?.status, missing.error?.code], [404, "not_found"]);

  // One logs in there, by POST.
  const method = await bunsen.getProject({ path: { username: "users", project_name: "token" } });
  assert.deepEqual([method.error?.status, method.error?.code], [405, "method_not_allowed"]);

  const beyond = await bunsen.downloadOutputFile({
    path: { ...project, id, path: "notes/result.txt" }, // of five bytes
    headers: { Range: "bytes=5-" },
  });
  assert.deepEqual([beyond.error?.status, beyond.error?.code], [416, "range_not_satisfiable"]);

  const large = { description: "x".repeat(11_000_000) };
  const refused = await bunsen.createExperiment({ path: project, body: large });
  assert.deepEqual([refused.error?.status, refused.error?.code], [413, "too_large"]);
}

/** What passes: come again later. */
async function meetTroubles() {
  const body = { username: "no-one", password: "wrong" };
  for (let tries = 0; tries < 10; tries++) {
    assert.equal((await bunsen.createUserToken({ body })).response?.status, 401);
  }
  const often = await bunsen.createUserToken({ body });
  assert.deepEqual([often.error?.status, often.error?.code], [429, "too_many_requests"]);

  const away = await bunsen.getCurrentUser({ baseUrl: process.env.BUNSEN_AWAY! }); // its database is
  assert.deepEqual([away.error?.status, away.error?.code], [503, "unavailable"]);

  if (process.env.BUNSEN_SMALL_DISK) {
    const repo = new Blob([new Uint8Array(2_000_000)]); // on a disk of a mebibyte
    const full = await bunsen.uploadCode({ path: project, body: { repo } });
    assert.deepEqual([full.error?.status, full.error?.code], [507, "insufficient_storage"]);
  }
}

async function main(folder: string) {
  await logIn();
  const id = await make(folder);
  await readLogs(id);
  await readStatusesAndJobs(id);
  await readMetrics(id);
  await readOutputs(id, folder);
  await useTensorboard(id);
  await mark(id);
  await clone(id);
  await meetErrors(id);
  await meetTroubles();
  const gone = await bunsen.deleteExperiment({ path: { ...project, id } });
  assert.equal(gone.response?.status, 204);
}

const folder = mkdtempSync(join(tmpdir(), "bunsen-"));
void main(folder).finally(() => rmSync(folder, { recursive: true }));
