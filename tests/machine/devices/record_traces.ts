/** Records what QEMU answers to random device accesses, for the trace tests: deno run -A tests/machine/devices/record_traces.ts [SEED] */
import { flashSteps, fwCfgSteps, rtcSteps, uartSteps } from "./device_steps.ts";
import { gicSteps, virtualGicSteps } from "./gic_steps.ts";
import { Qtest } from "./qtest.ts";
import { Random } from "./random.ts";

/**
 * One step of a trace; numbers are hexadecimal in files:
 * `r|w SIZE ADDRESS VALUE`, `i INTERRUPT LEVEL`, or `s BYTE`, sent to the console.
 */
export type Step = ["r" | "w", number, number, number] | ["i", number, number] | ["s", number];

/** Where the steps of a trace come from. */
export interface Steps {
  /** Steps to begin with. */
  readonly first?: readonly Step[];
  /** The next steps, at least one. */
  next(): readonly Step[];
  /** Reads in which QEMU is not followed, left out of the trace. */
  ignores?(address: number, value: number): boolean;
  /** Told of each value read. */
  answered?(address: number, value: number): void;
}

interface Recording {
  readonly name: string;
  readonly count: number;
  readonly options: readonly string[];
  readonly stepsOf: (random: Random) => Steps;
}

const FILES = ["one=hello", "two=0123456789abcdef0123456789abcdef"]
  .flatMap((file) => ["-fw_cfg", `name=opt/test/${file.replace("=", ",string=")}`]);

// deno-fmt-ignore
const RECORDINGS: readonly Recording[] = [
  { name: "gic_v2",         count: 3000, options: ["-M", "virt"],                    stepsOf: gicSteps },
  { name: "gic_v2_virtual", count: 3000, options: ["-M", "virt,virtualization=on"],  stepsOf: virtualGicSteps },
  { name: "flash_cfi",      count: 3000, options: ["-M", "virt"],                    stepsOf: flashSteps },
  { name: "fw_cfg",         count: 1000, options: ["-M", "virt", ...FILES],          stepsOf: fwCfgSteps },
  { name: "rtc_pl031",      count: 500,  options: ["-M", "virt"],                    stepsOf: rtcSteps },
  { name: "uart_pl011",     count: 1000, options: ["-M", "virt", "-serial", "unix:/tmp/qtest.sock,server=on,wait=off"], stepsOf: uartSteps },
];

/** Long enough for QEMU's main loop to have moved a byte from its socket to the UART. */
const SETTLE_MS = 4;

async function perform(qtest: Qtest, step: Step, serial: Deno.Conn | undefined): Promise<number> {
  switch (step[0]) {
    case "i":
      await qtest.setInterrupt(step[1], step[2] === 1);
      return step[2];
    case "s":
      await serial?.write(Uint8Array.of(step[1]));
      break;
    case "w":
      await qtest.write(step[2], step[1], step[3]);
      break;
    case "r": {
      const value = await qtest.read(step[2], step[1]);
      if (serial) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      return value;
    }
  }
  if (serial) await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  return step[0] === "w" ? step[3] : 0;
}

function textOf(step: Step, value: number): string {
  const numbers = step[0] === "r" || step[0] === "w" ? [step[1], step[2], value] : step.slice(1) as number[];
  return [step[0], ...numbers.map((number) => (number >>> 0).toString(16))].join(" ");
}

async function record({ name, count, options, stepsOf }: Recording, seed: number): Promise<void> {
  const steps = stepsOf(new Random(seed));
  const qtest = await Qtest.start([...options]);
  const serial = options.includes("-serial")
    ? await Deno.connect({ transport: "unix", path: "/tmp/qtest.sock" })
    : undefined;
  const lines = [`# QEMU 7.2.22, ${options.join(" ")}; seed ${seed}`];
  let shown = "0000";
  const queue = [...steps.first ?? []];
  for (let index = 0; index < count; index++) {
    if (queue.length === 0) queue.push(...steps.next());
    const step = queue.shift() as Step;
    const value = await perform(qtest, step, serial);
    if (step[0] === "r") {
      if (steps.ignores?.(step[2], value)) continue;
      steps.answered?.(step[2], value);
    }
    const levels = qtest.levels.map((level) => level ? 1 : 0).join("");
    lines.push(levels === shown ? textOf(step, value) : `${textOf(step, value)} ${levels}`);
    shown = levels;
  }
  serial?.close();
  await qtest.stop();
  await Deno.writeTextFile(
    new URL(`../../fixtures/devices/${name}.txt`, import.meta.url),
    lines.join("\n") + "\n",
  );
  console.log(`${name}: ${lines.length - 1} steps`);
}

if (import.meta.main) {
  const seed = Number(Deno.args[0] ?? 1);
  for (const recording of RECORDINGS) await record(recording, seed);
}
