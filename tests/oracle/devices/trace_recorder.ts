/** Records what QEMU answers to random accesses of one CPU to a device. */
import { flashSteps, fwCfgSteps, gpioSteps, rtcSteps, uartSteps } from "./device_steps.ts";
import { gicSteps, virtualGicSteps } from "./gic_steps.ts";
import { itsSteps, pcieSteps } from "./pci_steps.ts";
import { Qtest } from "./qtest.ts";
import { Random } from "./random.ts";

/** A step of a trace: size, address and value of an access, input (`g` of the GPIO) and level, or a byte for the console. */
export type Step = ["r" | "w", number, number, number] | ["i" | "g", number, number] | ["s", number];

/** Where the steps of a trace come from. */
export interface Steps {
  /** Steps to begin with. */
  readonly first?: readonly Step[];
  /** The next steps, at least one. */
  next(): readonly Step[];
  /** Reads in which QEMU is not followed, left out of the trace. */
  ignores?(address: number, value: number): boolean;
  /** What QEMU needs besides to have done a step; left out of the trace, and without an effect of its own. */
  completes?(step: Step): Step | undefined;
  /** Told of each value read. */
  answered?(address: number, value: number): void;
}

interface Recording {
  readonly count: number;
  readonly options: readonly string[];
  readonly stepsOf: (random: Random) => Steps;
  /** The console is a pipe, to send bytes to. */
  readonly serial?: boolean;
}

const FILES = ["one=hello", "two=0123456789abcdef0123456789abcdef"]
  .flatMap((file) => ["-fw_cfg", `name=opt/test/${file.replace("=", ",string=")}`]);

// deno-fmt-ignore
const RECORDINGS = {
  gic_v2:         { count: 3000, options: ["-M", "virt"],                    stepsOf: gicSteps },
  gic_v2_virtual: { count: 3000, options: ["-M", "virt,virtualization=on"],  stepsOf: virtualGicSteps },
  flash_cfi:      { count: 3000, options: ["-M", "virt"],                    stepsOf: flashSteps },
  fw_cfg:         { count: 1000, options: ["-M", "virt", ...FILES],          stepsOf: fwCfgSteps },
  rtc_pl031:      { count: 500,  options: ["-M", "virt"],                    stepsOf: rtcSteps },
  gpio_pl061:     { count: 3000, options: ["-M", "virt"],                    stepsOf: gpioSteps },
  pcie:           { count: 3000, options: ["-M", "virt,highmem=off", "-device", "virtio-rng-pci"], stepsOf: pcieSteps },
  gic_v3_its:     { count: 6000, options: ["-M", "virt,gic-version=3", "-smp", "2"],               stepsOf: itsSteps },
  uart_pl011:     { count: 1000, options: ["-M", "virt"],                    stepsOf: uartSteps, serial: true },
} as const satisfies Record<string, Recording>;

/** Lets QEMU's main loop turn a few times, so that it moves what it can from its pipe to the UART. */
async function settle(qtest: Qtest): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await qtest.read(0x0900_0fe0, 4);
}

async function perform(qtest: Qtest, step: Step, serial: Deno.FsFile | undefined): Promise<number> {
  switch (step[0]) {
    case "i":
      await qtest.setInterrupt(step[1], step[2] === 1);
      return step[2];
    case "g":
      await qtest.setGpio(step[1], step[2] === 1);
      return step[2];
    case "s":
      await serial?.write(Uint8Array.of(step[1]));
      break;
    case "w":
      await qtest.write(step[2], step[1], step[3]);
      break;
    case "r": {
      const value = await qtest.read(step[2], step[1]);
      if (serial) await settle(qtest);
      return value;
    }
  }
  if (serial) await settle(qtest);
  return step[0] === "w" ? step[3] : 0;
}

function textOf(step: Step, value: number): string {
  const numbers = step[0] === "r" || step[0] === "w" ? [step[1], step[2], value] : step.slice(1) as number[];
  return [step[0], ...numbers.map((number) => (number >>> 0).toString(16))].join(" ");
}

/** Records the trace of a name with a seed; the same seed gives the same accesses. */
export async function recordTrace(name: keyof typeof RECORDINGS, seed: number): Promise<string[]> {
  const { count, options, stepsOf, serial: hasSerial = false }: Recording = RECORDINGS[name];
  const steps = stepsOf(new Random(seed));
  const folder = await Deno.makeTempDir();
  const path = `${folder}/serial`;
  if (hasSerial) await new Deno.Command("mkfifo", { args: [`${path}.in`, `${path}.out`] }).output();
  const qtest = await Qtest.start([...options, ...hasSerial ? ["-serial", `pipe:${path}`] : []]);
  const serial = hasSerial ? await Deno.open(`${path}.in`, { write: true }) : undefined;
  const lines = [`# QEMU 7.2.22, ${options.join(" ")}; seed ${seed}`];
  let shown = "0000";
  const queue = [...steps.first ?? []];
  for (let index = 0; index < count; index++) {
    if (queue.length === 0) queue.push(...steps.next());
    const step = queue.shift() as Step;
    const value = await perform(qtest, step, serial), completion = steps.completes?.(step);
    if (completion !== undefined) await perform(qtest, completion, serial);
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
  await Deno.remove(folder, { recursive: true });
  return lines;
}
