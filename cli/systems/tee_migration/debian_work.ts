/** Debian at work in a realm beside a host: the world, and its ways from any point of the work. */
import { createHash } from "node:crypto";
import { hostProgram } from "../../../firmware/tee_migration/host.ts";
import type { Planted } from "../../../hypervisor/systems/tee_migration/planted.ts";
import type { MachineImages } from "../../../machine/compose.ts";
import type { DiskImage } from "../../../machine/storage/block.ts";
import { hashOfImage, zeroChunk } from "../../../machine/storage/image.ts";
import type { TimedWorldInput } from "../../../world/course.ts";
import { parseWorld, type WorldDescription } from "../../../world/description.ts";
import { type WorldMark, WorldSession } from "../../../world/session.ts";
import { silentHost } from "../../host/silent_host.ts";
import { BATCH_OPTIONS, prepareMachine } from "../../machine_options.ts";
import { readOptions } from "../../options.ts";
import type { CheckContext } from "../scenario.ts";
import { commanded, EAST } from "./migrations.ts";

/** What is typed: rounds of work, then what the kernel has to say, and DONE. */
const work = (rounds: number): string =>
  `i=0; while [ $i -lt ${rounds} ]; do head -c 200000 /dev/zero | sha256sum; echo $i | sha256sum; i=$((i+1)); done; ` +
  `dmesg | sed 's/^.[^]]*. //' | sha256sum; echo fin''ished\r`;
/** What it ends with; `work` has it in two parts, for it is echoed. */
export const DONE = "finished";
/** What a shell asks with. */
export const PROMPT = "# ";

/** Nanoseconds between marks to return to. */
const SPACING = 500_000_000, FOREVER = 1e12;
/** RAM of the realm and of the host, which waits 10 ms between its attacks. */
const REALM_MIB = 192, HOST_BASE = 0x4000_0000 + REALM_MIB * 2 ** 20, HOST_PAUSE = 625_000;

/** The work, typed at a time at a host's console. */
export function typed(time: number, node: number, rounds: number): TimedWorldInput {
  const bytes = new TextEncoder().encode(work(rounds));
  return { time, node, input: { kind: "machine", input: { kind: "consoleReceived", bytes } } };
}

/** A monitor's disk, with nothing on it: it has room for two copies of all of the realm. */
const DISK: DiskImage = { size: 2 ** 29, chunk: () => zeroChunk() };

/** How the hosts are. */
export interface DebianHosts {
  /** CPUs of the realm. */
  readonly cpus: number;
  /** The monitors have disks. */
  readonly hasDisk?: boolean;
  /** A fault planted at either. */
  readonly planted?: Planted;
}

/** A world and the images that it needs. */
export interface DebianWorld {
  /** Two hosts; the realm is at the first. */
  readonly world: WorldDescription;
  /** What they start from. */
  readonly images: MachineImages;
}

function debianHosts(
  context: CheckContext,
  { cpus, hasDisk = false, planted }: DebianHosts,
): DebianWorld {
  const images = new Map<string, Uint8Array | DiskImage>(), host = hostProgram(HOST_BASE, HOST_PAUSE);
  const sha256 = createHash("sha256").update(host).digest("hex");
  images.set(sha256, host);
  const disk = { sha256: hashOfImage(DISK), size: DISK.size, name: "disk" };
  if (hasDisk) images.set(disk.sha256, DISK);
  const nodes = [["east", "source"], ["west", "destination"]].map(([name, role], index) => {
    const secret = `role=${role},cluster=a-secret-of-ours,timeout=200,host=0x${HOST_BASE.toString(16)}` +
      (hasDisk ? ",drive=sealed" : "") + (planted === undefined ? "" : `,planted=${planted}`);
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
    for (const [hash, image] of prepared.images) images.set(hash, image as Uint8Array | DiskImage);
    const { configuration } = prepared, image = { sha256, size: host.length, name: "host" };
    const loaders = [{ kind: "image", image, address: HOST_BASE, forceRaw: true }];
    return {
      kind: "machine",
      name,
      configuration: {
        ...configuration,
        boot: { ...configuration.boot, loaders },
        drives: hasDisk ? [{ id: "sealed", image: disk }] : [],
      },
    };
  });
  const ends = ["east", "west"].map((node) => ({ node, port: "mig" }));
  const links = [{ name: "wire", kind: "message", latency: 100_000, ends }];
  return {
    world: parseWorld({ nodes, links, rootInterval: 1_000_000_000 }),
    images: images as MachineImages,
  };
}

/** Debian at work, once from its beginning, and then from wherever it was. */
export class Work {
  /** What the work writes alone. */
  alone = "";
  /** Nanoseconds that it takes. */
  time = 0;
  /** The hosts. */
  readonly hosts: DebianWorld;
  /** They, at work. */
  protected readonly session: WorldSession;
  readonly #marks: WorldMark[] = [];
  #mark = 0;

  /** `hosts` are powered on. */
  constructor(private readonly context: CheckContext, hosts: DebianHosts) {
    const { world, images } = this.hosts = debianHosts(context, hosts);
    this.session = new WorldSession(world, { images, ...context.machineOptions() });
  }

  /** What the work has written, up to its end: a round of the world may have more. */
  get #written(): string {
    const [east = "", west = ""] = this.session.consoles, all = east.slice(this.#mark) + west;
    const end = all.indexOf(DONE);
    return end < 0 ? all : all.slice(0, end + DONE.length);
  }

  async #until(wanted: string, limit = FOREVER): Promise<boolean> {
    await this.run(limit, () => this.#written.includes(wanted));
    return this.#written.includes(wanted);
  }

  /** Goes on to a time, or until `isEnough`, which is asked between rounds. */
  protected async run(limit: number, isEnough: () => boolean): Promise<void> {
    let rounds = 0;
    const pause = () => ++rounds % 1000 === 0 ? this.context.breathe() : undefined;
    await this.session.runApart(limit, pause, isEnough);
  }

  /** Boots, and works undisturbed. */
  async begin(rounds: number): Promise<void> {
    const session = this.session;
    if (!await this.#until(PROMPT)) throw new Error(`no prompt: ${JSON.stringify(this.#written.slice(-80))}`);
    this.#mark = session.consoles[EAST]!.length;
    const start = session.now;
    session.give(typed(start, EAST, rounds));
    do this.#marks.push(session.mark()); while (!await this.#until(DONE, session.now + SPACING));
    this.time = session.now - start;
    this.alone = this.#written;
  }

  /** When it was typed. */
  get start(): number {
    return this.#marks[0]!.time;
  }

  /** Goes back to the last mark before a time. */
  protected returnBefore(time: number): void {
    this.session.returnTo(this.#marks.findLast((mark) => mark.time <= time)!);
  }

  /** Works again, and moves at a time behind the beginning: how much the first host wrote, and all. */
  async moved(at: number): Promise<{ readonly text: string; readonly east: number; readonly west: number }> {
    const { session, start } = this, time = start + at;
    this.returnBefore(time);
    session.give(commanded(time, EAST, "migrate"));
    await this.#until(DONE, start + 3 * this.time + 2e9);
    const [east = "", west = ""] = session.consoles;
    return { text: this.#written, east: east.length - this.#mark, west: west.length };
  }
}
