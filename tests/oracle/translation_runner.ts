/** Runs translation cases on `qemu-system-aarch64`, from EL2 or EL3 of its `virt` machine. */
import { MissingOutsiderError } from "./outsider.ts";
import { linkObject } from "./object_linker.ts";
import type { TranslationCase } from "./translation_cases.ts";

/** Physical addresses of the guest. */
const CODE = 0x4020_0000n, CASES = 0x4200_0000n;

/** The 64-bit words of an outcome, as the guest writes them. */
export const OUTCOME_WORDS = [
  ...["vector", "ESR_EL2", "FAR_EL2", "HPFAR_EL2", "ELR_EL2", "ESR_EL1", "FAR_EL1", "ELR_EL1", "SPSR_EL2"],
  ...["x1", "PAR_EL1", "x0"],
] as const;

/** What a case ended in. */
export type Outcome = Readonly<Record<(typeof OUTCOME_WORDS)[number], bigint>>;

/** The cases in the guest's format. */
function pack(cases: readonly TranslationCase[]): Uint8Array {
  const words: bigint[] = [BigInt(cases.length)];
  for (const one of cases) {
    const patches = [...one.memory].flat();
    words.push(
      ...[one.SCTLR_EL1, one.TCR_EL1, one.TTBR0_EL1, one.TTBR1_EL1, one.MAIR_EL1],
      ...[one.HCR_EL2, one.VTCR_EL2, one.VTTBR_EL2, one.entry, one.state, one.VBAR_EL1, one.x0, one.x1],
      ...[BigInt.asUintN(64, BigInt(one.operation)), BigInt(one.memory.size), BigInt(patches.length * 8)],
      ...[one.SCR_EL3, one.SCTLR_EL2, one.TCR_EL2, one.TTBR0_EL2, one.MAIR_EL2, 0n, 0n, 0n],
      ...patches,
    );
  }
  return new Uint8Array(BigUint64Array.from(words).buffer);
}

async function run(command: string, packageName: string, args: string[], cwd: string): Promise<void> {
  try {
    const { success, stderr } = await new Deno.Command(command, { args, cwd, stderr: "piped" }).output();
    if (!success) throw new Error(`${command} failed: ${new TextDecoder().decode(stderr)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw new MissingOutsiderError(command, packageName);
    throw error;
  }
}

/** Runs all cases on a CPU model of QEMU, from EL3 when `secure`; throws MissingOutsiderError when QEMU or llvm-mc is not installed. */
export async function runOnQemu(
  cases: readonly TranslationCase[],
  model: string,
  secure: boolean,
): Promise<Outcome[]> {
  const folder = await Deno.makeTempDir();
  try {
    const source = new URL("translation_runner.s", import.meta.url).pathname;
    await run(
      "llvm-mc",
      "llvm",
      ["-triple=aarch64", "-filetype=obj", source, "-o", `${folder}/code.o`],
      folder,
    );
    await Deno.writeFile(
      `${folder}/code.bin`,
      linkObject(await Deno.readFile(`${folder}/code.o`), CODE).bytes,
    );
    await Deno.writeFile(`${folder}/cases.bin`, pack(cases));
    await run("qemu-system-aarch64", "qemu-system-arm", [
      ...[
        "-M",
        `virt,virtualization=on,highmem=off,secure=${secure ? "on" : "off"}`,
        "-cpu",
        model,
        "-m",
        "128M",
        "-nographic",
        "-nodefaults",
      ],
      ...["-semihosting-config", "enable=on,target=native"],
      ...["-device", `loader,file=${folder}/cases.bin,addr=${CASES},force-raw=on`],
      ...["-device", `loader,file=${folder}/code.bin,addr=${CODE},force-raw=on`],
      ...["-device", `loader,addr=${CODE},cpu-num=0`],
    ], folder);
    return unpack(await Deno.readFile(`${folder}/results.bin`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function unpack(bytes: Uint8Array): Outcome[] {
  const words = new BigUint64Array(bytes.buffer);
  const size = OUTCOME_WORDS.length;
  return Array.from(
    { length: words.length / size },
    (_, index) =>
      Object.fromEntries(OUTCOME_WORDS.map((name, at) => [name, words[index * size + at]])) as Outcome,
  );
}
