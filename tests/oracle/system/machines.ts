/** Runs a system program on `qemu-system-aarch64` and on our machine; both give the words of all results. */
import { createHash } from "node:crypto";
import { type ImageReference, type LoaderEntry, parseConfiguration } from "../../../machine/configuration.ts";
import { physicalAddress } from "../../../machine/address.ts";
import { Machine } from "../../../machine/machine.ts";
import { MissingOutsiderError } from "../outsider.ts";
import type { Group, GroupModel } from "./group.ts";
import {
  CASES_BASE,
  RESULT_WORDS,
  RESULTS_BASE,
  type SystemProgram,
  systemRunner,
  type TopLevel,
} from "./program.ts";

/** Options of `-M` that give a machine its highest level. */
const MACHINES: Readonly<Record<TopLevel, string>> = {
  1: "virt",
  2: "virt,virtualization=on",
  3: "virt,virtualization=on,secure=on",
};

/** What a group asks of the machine beside its levels. */
type GroupMachine = Pick<Group, "model" | "gicVersion">;

/** A run of QEMU ends by itself; this much later it hangs. */
const TIMEOUT_MS = 60_000;

function wordsOf(bytes: Uint8Array, program: SystemProgram, who: string): BigUint64Array {
  const expected = program.names.length * RESULT_WORDS.length * 8;
  if (bytes.length !== expected) {
    throw new Error(`${who} left ${bytes.length} bytes of results, not ${expected}`);
  }
  return new BigUint64Array(bytes.slice().buffer);
}

/** `-cpu` of a model; with SVE the traps of CPTR_EL2 would be others. */
const CPU_OPTION: Readonly<Record<GroupModel, string>> = {
  "cortex-a57": "cortex-a57",
  "max": "max,sve=off,sme=off,lpa2=off",
  "max,pauth-impdef=on": "max,sve=off,sme=off,lpa2=off,pauth-impdef=on",
};

/** Results of QEMU; throws MissingOutsiderError when it is not installed. */
export async function runOnQemu(
  program: SystemProgram,
  { model = "cortex-a57", gicVersion = 2 }: GroupMachine,
): Promise<BigUint64Array> {
  const directory = Deno.makeTempDirSync({ prefix: "hindsight-oracle-" });
  try {
    const runner = systemRunner(program.top), at = (address: bigint) => `0x${address.toString(16)}`;
    Deno.writeFileSync(`${directory}/runner.bin`, runner.bytes);
    Deno.writeFileSync(`${directory}/cases.bin`, program.bytes());
    const args = [
      "-M",
      `${MACHINES[program.top]},gic-version=${gicVersion}`,
      "-cpu",
      CPU_OPTION[model],
      "-m",
      "256",
      "-display",
      "none",
      "-nodefaults",
    ];
    args.push("-monitor", "none", "-serial", "none");
    args.push("-device", `loader,file=${directory}/cases.bin,addr=${at(CASES_BASE)},force-raw=on`);
    args.push(
      "-device",
      `loader,file=${directory}/runner.bin,addr=${at(runner.base)},cpu-num=0,force-raw=on`,
    );
    args.push("-semihosting");
    return wordsOf(await runToEnd("qemu-system-aarch64", args), program, "QEMU");
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

/** Runs a program until it ends; gives what it wrote. */
export async function runToEnd(program: string, args: string[]): Promise<Uint8Array> {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const command = new Deno.Command(program, { args, signal, stdout: "piped", stderr: "piped" });
    const { code, stdout, stderr } = await command.output();
    if (code !== 0) {
      throw new Error(`${program} ended with code ${code}: ${new TextDecoder().decode(stderr).trim()}`);
    }
    return stdout;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingOutsiderError(program, "qemu-system-arm");
    throw error;
  }
}

/** Hash of an image, as configurations name it. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Steps within which a program must end, for each run of it. */
const STEPS_PER_RUN = 20_000;

/** Our machine after a program; `engine` as in ENGINES. */
export function endOfProgram(
  program: SystemProgram,
  { model = "cortex-a57", gicVersion = 2 }: GroupMachine,
  engine?: string,
): Machine {
  const runner = systemRunner(program.top), images = [runner.bytes, program.bytes()];
  const image = (bytes: Uint8Array) => ({ sha256: sha256(bytes), size: bytes.length, name: "oracle" });
  const [code, cases] = images.map(image) as [ImageReference, ImageReference];
  const loader = (image: ImageReference, address: bigint, cpu: number | undefined): LoaderEntry => ({
    kind: "image",
    image,
    address: Number(address),
    forceRaw: true,
    cpu,
  });
  const configuration = parseConfiguration({
    cpuModel: model,
    gicVersion,
    secure: program.top === 3,
    virtualization: program.top >= 2,
    memoryMiB: 256,
    semihosting: true,
    boot: { loaders: [loader(cases, CASES_BASE, undefined), loader(code, runner.base, 0)] },
  });
  const machine = new Machine(configuration, new Map(images.map((bytes) => [sha256(bytes), bytes])), {
    ...(engine !== undefined && { engine }),
  });
  const stop = machine.run(STEPS_PER_RUN * (program.names.length + 10));
  if (stop.reason !== "poweredOff") {
    const pc = machine.currentCpu.pc.toString(16);
    throw new Error(`Our machine did not end: ${stop.reason} at instant ${machine.instant}, PC 0x${pc}`);
  }
  return machine;
}

/** Results of our machine. */
export function runOnOurs(program: SystemProgram, group: GroupMachine): BigUint64Array {
  const machine = endOfProgram(program, group);
  const size = program.names.length * RESULT_WORDS.length * 8;
  return wordsOf(
    machine.board.memory.readBytes(physicalAddress(Number(RESULTS_BASE)), size),
    program,
    "Our machine",
  );
}
