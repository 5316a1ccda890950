/** Measures reverse execution through gdb's protocol: on our server, and on QEMU's record and replay with one snapshot. */
import { machineOptions, type Step } from "../boots/rows.ts";
import { PLAIN, QEMU, runOnQemu } from "../boots/qemu.ts";
import { seededRandom } from "../journal/support.ts";
import type { ServerFigures } from "./figures.ts";
import { GdbClient } from "./gdb_client.ts";
import type { TravelledRun } from "./run.ts";

/** Steps back at random instants on our server, and on QEMU, which takes seconds for each. */
const PLACES = 60, QEMU_STEPS = 3;

/** Peak of a process's resident memory, in bytes. */
function peakMemory(pid: number): number {
  const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) * 1024;
}

/** A server as a process, ended when the measurement is over. */
async function withServer<T>(
  process: Deno.ChildProcess,
  portOf: () => Promise<number>,
  seconds: number,
  measure: (client: GdbClient) => Promise<T>,
): Promise<T> {
  const timeout = setTimeout(() => process.kill("SIGKILL"), seconds * 1000);
  try {
    const client = await GdbClient.connect(await portOf());
    try {
      return await measure(client);
    } finally {
      client.close();
    }
  } finally {
    clearTimeout(timeout);
    process.kill("SIGKILL");
    await process.status;
  }
}

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Reverse watchpoints at writes of 8 bytes, each from where `begin` goes. */
async function watchBack(
  client: GdbClient,
  addresses: readonly string[],
  begin: () => Promise<unknown>,
): Promise<ServerFigures["watches"]> {
  const watches: { address: string; milliseconds: number }[] = [];
  for (const address of addresses) {
    await begin();
    const place = `2,${address.slice(2)},8`;
    if (await client.ask(`Z${place}`) !== "OK") {
      throw new Error(`The server takes no watchpoint at ${address}`);
    }
    const { milliseconds, stop } = await client.timed("bc");
    if (!/^T05/.test(stop) || stop.includes("replaylog")) {
      throw new Error(`Going back to the write of ${address} ended with ${stop}`);
    }
    watches.push({ address, milliseconds });
    await client.ask(`z${place}`);
  }
  return watches;
}

/** Our server, after it has gone to the end of the run once. */
export function measureOurServer(
  { journal, steps, seed }: TravelledRun,
  addresses: readonly string[],
): Promise<ServerFigures> {
  const port = freePort(), random = seededRandom(seed);
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--allow-read", "--allow-write", "--allow-net=127.0.0.1", "cli/main.ts"],
      ...["gdb", journal, "--port", String(port)],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return withServer(process, () => Promise.resolve(port), 240, async (client) => {
    await client.monitor(`seek ${steps}`);
    const backs: number[] = [];
    for (let place = 0; place < PLACES; place++) {
      await client.monitor(`seek ${1 + random(steps - 1)}`);
      backs.push((await client.timed("bs")).milliseconds);
    }
    const watches = await watchBack(client, addresses, () => client.monitor(`seek ${steps}`));
    return { backs, watches, memory: peakMemory(process.pid) };
  });
}

/** An empty disk of 64 MiB in QEMU's own format: where its replays keep their snapshot. */
function emptyDisk(): Uint8Array {
  const cluster = 65536, bytes = new Uint8Array(4 * cluster), view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("QFI\xfb".slice(0, 3)));
  view.setUint8(3, 0xfb);
  view.setUint32(4, 2); // version
  view.setUint32(20, 16); // bits of a cluster
  view.setBigUint64(24, 64n << 20n);
  view.setUint32(36, 1); // entries of the table at cluster 1
  view.setBigUint64(40, BigInt(cluster));
  view.setBigUint64(48, BigInt(2 * cluster)); // the table of reference counts, one cluster
  view.setUint32(56, 1);
  view.setBigUint64(2 * cluster, BigInt(3 * cluster));
  for (let used = 0; used < 4; used++) view.setUint16(3 * cluster + 2 * used, 1);
  return bytes;
}

/** The same guest on QEMU, recorded with one snapshot at the beginning, then gone back in from late in the run. */
export async function measureQemu(
  { boot, scriptSteps, folder, steps }: TravelledRun,
  addresses: readonly string[],
): Promise<ServerFigures & { readonly recording: number }> {
  const disk = `${folder}/qemu.qcow2`, log = `${folder}/qemu.replay`, late = Math.floor(steps * 0.9);
  Deno.writeFileSync(disk, emptyDisk());
  const options = (mode: string): string[] => [
    ...machineOptions(boot),
    ...boot.options,
    ...["-net", "none", "-drive", `file=${disk},if=none,id=snapshots`],
    ...["-icount", `shift=3,rr=${mode},rrfile=${log},rrsnapshot=start`],
  ];
  const { milliseconds: recording } = await runOnQemu(options("record"), scriptSteps as Step[], 120);
  const port = freePort();
  const process = new Deno.Command(QEMU, {
    args: [...options("replay"), ...PLAIN, "-S", "-gdb", `tcp:127.0.0.1:${port}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return withServer(process, () => Promise.resolve(port), 240, async (client) => {
    const goLate = async () => {
      await client.monitor(`replay_break ${late}`);
      await client.timed("c");
    };
    await goLate();
    const backs: number[] = [];
    for (let step = 0; step < QEMU_STEPS; step++) backs.push((await client.timed("bs")).milliseconds);
    const watches = await watchBack(client, addresses, goLate);
    // QEMU does not say why it stopped: where there is no write it is at the beginning.
    const [, count = "0"] = /instruction count = (\d+)/.exec(await client.monitor("info replay")) ?? [];
    if (Number(count) === 0 || Number(count) >= late) {
      throw new Error(`QEMU found no write: it is at ${count}`);
    }
    return { recording, backs, watches, memory: peakMemory(process.pid) };
  });
}
