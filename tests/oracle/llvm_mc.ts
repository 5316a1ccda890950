/** Runs `llvm-mc` over many words or lines at once. */
import { type CpuModel, type Feature, hasFeature } from "../../machine/a64/feature.ts";

/** LLVM's name of each extension of the CPU models that brings instructions or operands. */
// deno-fmt-ignore
const OF_FEATURE: Readonly<Partial<Record<Feature, string>>> = {
  CRC32: "crc", AES: "aes", PMULL: "aes", SHA1: "sha2", SHA256: "sha2", LSE: "lse", RDM: "rdm", FP16: "fullfp16",
  FHM: "fp16fml", SHA512: "sha3", SHA3: "sha3", DotProd: "dotprod", PAuth: "pauth", JSCVT: "jsconv", FCMA: "complxnum",
  LRCPC: "rcpc", LRCPC2: "rcpc-immo", FlagM: "flagm", FlagM2: "altnzcv", FRINTTS: "fptoint", SB: "sb", SSBS: "ssbs",
  BTI: "bti", BF16: "bf16", I8MM: "i8mm", DIT: "dit", PAN: "pan", PAN2: "pan-rwv", UAO: "uaops", DPB: "ccpp",
  DPB2: "ccdp", VHE: "vh", FGT: "fgt", ECV: "ecv",
};

function attributes(names: Iterable<string>): string {
  return [...new Set(names)].map((name) => `+${name}`).join(",");
}

/** What a CPU model has and no more, as LLVM's attributes. */
export function attributesOf(model: CpuModel): string {
  const features = (Object.keys(OF_FEATURE) as Feature[]).filter((feature) => hasFeature(model, feature));
  return attributes(["v8a", "fp-armv8", "neon", ...features.map((feature) => OF_FEATURE[feature] as string)]);
}

/** Everything of Armv8.6-A whose system registers and hints have names in our tables, and all of the models. */
const NAMED =
  "v8.6a crc crypto ras rand lor ssbs pan mte spe fgt ecv am amvs el2vmsa el3 ccidx vh dit uaops " +
  "flagm tlb-rmi bti predres sel2 nv mpam pan-rwv perfmon ccpp ccdp tracev8.4 specrestrict pauth sve";

const ATTRIBUTES = attributes([...NAMED.split(" "), ...Object.values(OF_FEATURE)]);

async function run(args: readonly string[], input: string): Promise<{ output: string; errors: string }> {
  const command = new Deno.Command("llvm-mc", {
    args: ["-triple=aarch64", ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  const { stdout, stderr } = await child.output();
  await written;
  const text = new TextDecoder();
  return { output: text.decode(stdout), errors: text.decode(stderr) };
}

/** Numbers of the input lines that were refused. */
function refusedLines(errors: string, kind: "error" | "warning: invalid instruction encoding"): Set<number> {
  const found = errors.matchAll(new RegExp(`^<stdin>:(\\d+):\\d+: ${kind}`, "gm"));
  return new Set(Array.from(found, ([, line]) => Number(line)));
}

/** Puts the outputs of accepted lines beside their inputs. */
function align<Output>(
  count: number,
  refused: ReadonlySet<number>,
  outputs: readonly Output[],
): (Output | undefined)[] {
  if (outputs.length + refused.size !== count) {
    throw new Error(`llvm-mc answered ${outputs.length} and refused ${refused.size} of ${count} lines`);
  }
  let next = 0;
  return Array.from({ length: count }, (_, index) => (refused.has(index + 1) ? undefined : outputs[next++]));
}

/** Text of each word as LLVM prints it, spaces made single; undefined where it knows none. */
export async function disassembleByLlvm(
  words: readonly number[],
  known = ATTRIBUTES,
): Promise<(string | undefined)[]> {
  const bytes = (word: number) =>
    [0, 8, 16, 24].map((shift) => `0x${(word >>> shift & 255).toString(16)}`).join(" ");
  const input = words.map(bytes).join("\n") + "\n";
  const { output, errors } = await run(["--disassemble", `-mattr=${known}`], input);
  const lines = output.split("\n").filter((line) => line.startsWith("\t") && !line.startsWith("\t.text"));
  return align(
    words.length,
    refusedLines(errors, "warning: invalid instruction encoding"),
    lines.map((line) => line.replace(/\/\/.*/, "").trim().replace(/\s+/g, " ")),
  );
}

/** Word of each line as LLVM assembles it; undefined where it refuses. */
export async function assembleByLlvm(lines: readonly string[]): Promise<(number | undefined)[]> {
  const { output, errors } = await run(["--show-encoding", `-mattr=${ATTRIBUTES}`], lines.join("\n") + "\n");
  const words = Array.from(output.matchAll(/encoding: \[([^\]]*)\]/g), ([, bytes]) => {
    const [a, b, c, d] = (bytes as string).split(",").map(Number) as [number, number, number, number];
    return (a | b << 8 | c << 16 | d << 24) >>> 0;
  });
  return align(lines.length, refusedLines(errors, "error"), words);
}
