/** tee-migration's check with Debian: a shell's long work with sha256sum beside a host, moved at random instants of it. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { hostProgram } from "../../../firmware/tee_migration/host.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";
import { type WorldMark, WorldSession } from "../../../world/session.ts";
import { silentHost } from "../../host/silent_host.ts";
import { BATCH_OPTIONS, prepareMachine } from "../../machine_options.ts";
import { readOptions } from "../../options.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { commanded, EAST } from "./migrations.ts";

/** What is typed: rounds of work, then what the kernel has to say, and what it ends with. */
const work = (rounds: number): string =>
  `i=0; while [ $i -lt ${rounds} ]; do head -c 200000 /dev/zero | sha256sum; echo $i | sha256sum; i=$((i+1)); done; ` +
  `dmesg | sed 's/^.[^]]*. //' | sha256sum; echo fin''ished\r`;
const DONE = "finished", PROMPT = "# ";
/** Nanoseconds between marks to return to. */
const SPACING = 500_000_000, FOREVER = 1e12;
/** RAM of the realm and of the host, which waits 10 ms between its attacks. */
const REALM_MIB = 192, HOST_BASE = 0x4000_0000 + REALM_MIB * 2 ** 20, HOST_PAUSE = 625_000;

function debianHosts(
  context: CheckContext,
  cpus: number,
): { world: WorldDescription; images: MachineImages } {
  const images = new Map<string, never>(), host = hostProgram(HOST_BASE, HOST_PAUSE);
  const sha256 = createHash("sha256").update(host).digest("hex");
  images.set(sha256, host as never);
  const nodes = [["east", "source"], ["west", "destination"]].map(([name, role], index) => {
    const secret = `role=${role},cluster=a-secret-of-ours,timeout=200,host=0x${HOST_BASE.toString(16)}`;
    const args = [
      ...["-kernel", context.guest("linux-cloud/Image"), "-initrd", context.guest("linux-cloud/initrd.gz")],
      ...["-append", `console=ttyAMA0 panic=-1 cryptomgr.notests=1 maxcpus=${cpus} mem=${REALM_MIB}M`],
      ...[
        "-m",
        "256M",
        "-smp",
        String(cpus + 1),
        "-seed",
        String(index + 1),
        "--monitor",
        `el2:tee-migration,${secret}`,
      ],
    ];
    const prepared = prepareMachine(readOptions(args, BATCH_OPTIONS), silentHost);
    for (const [hash, image] of prepared.images) images.set(hash, image as never);
    const { configuration } = prepared, image = { sha256, size: host.length, name: "host" };
    const loaders = [{ kind: "image", image, address: HOST_BASE, forceRaw: true }];
    return {
      kind: "machine",
      name,
      configuration: { ...configuration, boot: { ...configuration.boot, loaders } },
    };
  });
  const ends = ["east", "west"].map((node) => ({ node, port: "mig" }));
  const links = [{ name: "wire", kind: "message", latency: 100_000, ends }];
  return { world: parseWorld({ nodes, links, rootInterval: 1_000_000_000 }), images };
}

/** Debian at work, once from its beginning, and then from wherever it was. */
class Work {
  /** What the work writes alone. */
  alone = "";
  /** Nanoseconds that it takes. */
  time = 0;
  readonly #session: WorldSession;
  readonly #marks: WorldMark[] = [];
  #mark = 0;

  /** A realm of so many CPUs. */
  constructor(private readonly context: CheckContext, cpus: number) {
    const { world, images } = debianHosts(context, cpus);
    this.#session = new WorldSession(world, { images, ...context.machineOptions() });
  }

  /** What the work has written, up to its end: a round of the world may have more. */
  get #written(): string {
    const [east = "", west = ""] = this.#session.consoles, all = east.slice(this.#mark) + west;
    const end = all.indexOf(DONE);
    return end < 0 ? all : all.slice(0, end + DONE.length);
  }

  async #until(wanted: string, limit = FOREVER): Promise<boolean> {
    let rounds = 0;
    await this.#session.runApart(
      limit,
      () => ++rounds % 1000 === 0 ? this.context.breathe() : undefined,
      () => this.#written.includes(wanted),
    );
    return this.#written.includes(wanted);
  }

  /** Boots, and works undisturbed. */
  async begin(rounds: number): Promise<void> {
    const session = this.#session;
    if (!await this.#until(PROMPT)) throw new Error(`no prompt: ${JSON.stringify(this.#written.slice(-80))}`);
    this.#mark = session.consoles[EAST]!.length;
    const typed = { kind: "consoleReceived", bytes: new TextEncoder().encode(work(rounds)) } as const;
    session.give({ time: session.now, node: EAST, input: { kind: "machine", input: typed } });
    const start = session.now;
    do this.#marks.push(session.mark()); while (!await this.#until(DONE, session.now + SPACING));
    this.time = session.now - start;
    this.alone = this.#written;
  }

  /** Works again, and moves at a time behind the beginning: how much the first host wrote, and all. */
  async moved(at: number): Promise<{ readonly text: string; readonly east: number; readonly west: number }> {
    const session = this.#session, time = this.#marks[0]!.time + at;
    session.returnTo(this.#marks.findLast((mark) => mark.time <= time)!);
    session.give(commanded(time, EAST, "migrate"));
    await this.#until(DONE, this.#marks[0]!.time + 3 * this.time + 2e9);
    const [east = "", west = ""] = session.consoles;
    return { text: this.#written, east: east.length - this.#mark, west: west.length };
  }
}

/** What became of an instant, kept so that a set that was stopped goes on. */
type Done = Readonly<
  Record<string, { readonly isWhole: boolean; readonly hasMoved: boolean; readonly seconds: number }>
>;

/** Debian moves at one random instant, or with --all at 50. */
export async function debianMoves(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], count = context.all ? 50 : 1, seed = 21, rounds = context.all ? 12 : 4;
  const realm = new Work(context, 1);
  await realm.begin(rounds);
  const digest = createHash("sha256").update(realm.alone).digest("hex").slice(0, 16);
  const path = context.file(`debian-${context.engine}-${digest}-${Math.floor(realm.time)}.json`);
  let done: Done = context.all && existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  let random = seed;
  for (let index = 0; index < count; index++) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
    const at = Math.floor(random / 2 ** 32 * realm.time * 0.95);
    if (done[at] === undefined) {
      const start = performance.now(), { text, east, west } = await realm.moved(at);
      const seconds = Math.round(performance.now() - start) / 1000;
      done = {
        ...done,
        [at]: { isWhole: text === realm.alone, hasMoved: west > 0 && east < realm.alone.length, seconds },
      };
      if (context.all) writeFileSync(path, JSON.stringify(done));
      if (text !== realm.alone) {
        context.progress(`moved at ${at} ns it wrote ${JSON.stringify(text.slice(-200))}`);
      }
    }
    const { isWhole, hasMoved } = done[at]!;
    if (!isWhole) {
      failures.push(`moved ${at} ns after it was typed, the work wrote something else (seed ${seed})`);
    }
    if (!hasMoved) failures.push(`moved ${at} ns after it was typed, it stayed where it was`);
    context.progress("instants", index + 1, count);
  }
  const seconds = Object.values(done).map((one) => one.seconds);
  const figures = {
    ...{ instants: count, "work ms": Math.round(realm.time / 1e6), bytes: realm.alone.length, digest },
    "seconds each": (seconds.reduce((sum, one) => sum + one, 0) / seconds.length).toFixed(1),
  };
  return { failures, figures };
}

/** Debian with two CPUs at work moves, while it is at it. */
export async function debianOfTwo(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], realm = new Work(context, 2), count = 3;
  await realm.begin(6);
  for (let index = 0; index < count; index++) {
    const { text, east, west } = await realm.moved(Math.floor(realm.time * (index + 1) / (count + 1)));
    if (text !== realm.alone) {
      failures.push(`moved after ${index + 1} of ${count + 1} parts, it wrote something else`);
    }
    if (west === 0 || east >= realm.alone.length) failures.push(`it did not move after ${index + 1} parts`);
    context.progress("instants", index + 1, count);
  }
  return { failures, figures: { instants: count, "work ms": Math.round(realm.time / 1e6) } };
}
