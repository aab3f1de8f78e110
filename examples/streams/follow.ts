/**
 * Follows a log with fetch: BUNSEN_URL=… BUNSEN_TOKEN=… node follow.ts root/digits/experiments/1
 *
 * Prints every line once, whatever is cut meanwhile, and ends only when the log is whole. Node.js 22.18 or newer
 * runs it as it is; the function works in browsers and Deno, too.
 */

type LogEvent =
  | { event: "line"; seq: number; time: string; text: string; stream: "stdout" | "stderr" }
  | { event: "gap"; seq: number; from_time: string | null; to_time: string | null }
  | { event: "end"; status: string; last_seq: number };

/** Every line, gap and at last the end of a log, each once. */
export async function* follow(url: string, path: string, token: string): AsyncGenerator<LogEvent> {
  for (let next = 0; ; await new Promise((resolve) => setTimeout(resolve, 1000))) {
    const query = `follow=true&offset=${next}`;
    try {
      const answer = await fetch(`${url}/api/v1/${path}/logs/lines?${query}`, {
        headers: { Authorization: `token ${token}` },
      });
      if (answer.status >= 500) continue;
      if (!answer.ok) throw new Refused(`${answer.status}: ${await answer.text()}`);
      for await (const text of lines(answer.body!)) {
        const event = JSON.parse(text) as LogEvent | { event: "heartbeat" };
        if (event.event === "heartbeat") continue;
        yield event;
        if (event.event === "end") return;
        next = event.seq + 1;
      }
    } catch (error) {
      if (error instanceof Refused) throw error; // anything else is a cut: go on at the next number
    }
  }
}

class Refused extends Error {}

/** The whole lines of a stream; what was cut within a line comes again. */
async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}

const { BUNSEN_URL, BUNSEN_TOKEN } = process.env as { [name: string]: string };
for await (const event of follow(BUNSEN_URL!, process.argv[2]!, BUNSEN_TOKEN!)) {
  if (event.event === "line") console.log(event.text);
  if (event.event === "gap") console.error(`(lines are lost from ${event.from_time} to ${event.to_time})`);
  if (event.event === "end") console.error(`whole: ${event.last_seq + 1} lines, ${event.status}`);
}
