/**
 * Asks QEMU what every access to a system register does, in every configuration, and compares it with the fixtures that
 * the tests of the CPU go by; `--record` renews them, `--model` asks about one only.
 */
import { parseArgs } from "@std/cli";
import { assembleProgram } from "../../machine/a64/program.ts";
import { systemAccessSyndrome } from "../../machine/cpu/syndrome.ts";
import {
  accessName,
  type Configuration,
  CONFIGURATIONS,
  encodingOf,
  FIRST_ENCODING,
  fixtureName,
  LAST_ENCODING,
  outcomeOf,
  type Outcomes,
  printOutcomes,
  type RecordedModel,
  referenceOf,
  spsrOf,
  usualOutcome,
} from "../machine/cpu/system_access.ts";

const BASE = 0x4010_0000n, PARAMETERS = 0x4020_0000n, EXCLUDED = 0x4020_4000n;
const RESULTS = 0x4100_0000n, VALUES = 0x4300_0000n, SCRATCH = 0x4400_0000n;
const WORDS = 5;

const probe = assembleProgram(Deno.readTextFileSync(new URL("register_probe.s", import.meta.url)), {
  name: "register_probe.s",
  base: BASE,
  symbols: { PARAMETERS, EXCLUDED, RESULTS, VALUES, SCRATCH },
});
/** LDR X0, #8; BR X0; the address: at 0 as firmware, so that QEMU's own PSCI stays away from EL3. */
const BOOT = new Uint8Array(16);
new DataView(BOOT.buffer).setUint32(0, 0x5800_0040, true);
new DataView(BOOT.buffer).setUint32(4, 0xd61f_0000, true);
new DataView(BOOT.buffer).setBigUint64(8, BASE, true);

function words(...values: bigint[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(BigUint64Array.from(values).buffer);
}

/** Registers of the probe's own level that must not be written with ones. */
function excluded({ level }: Configuration): bigint[] {
  if (level === 0) return [];
  return ["SPSel", `SCTLR_EL${level}`, ...(level === 3 ? ["SCR_EL3"] : [])].map((name) =>
    BigInt(encodingOf(name))
  );
}

function parameters(configuration: Configuration): Uint8Array<ArrayBuffer> {
  const { el2, el3, level, scr, controls } = configuration;
  const features = (el2 ? 1n : 0n) | (el3 ? 2n : 0n);
  const masks = isMasked(configuration) ? 1n : 0n;
  const sets = Object.entries(controls).flatMap(([name, value]) => [
    BigInt(0xd500_0000 | encodingOf(name) << 5),
    value,
  ]);
  // A host at EL2 writes its own VBAR_EL2 by the name of EL1's.
  if (level === 2 && ((controls["HCR_EL2"] ?? 0n) >> 34n & 1n) === 1n) {
    sets.push(BigInt(0xd500_0000 | encodingOf("VBAR_EL1") << 5), probe.symbols.get("vectors_2") as bigint);
  }
  // SCR_EL3 last: EL2's registers are set while they can be.
  const security = el3 ? [BigInt(0xd500_0000 | encodingOf("SCR_EL3") << 5), scr] : [];
  return words(features, spsrOf(level), scr | 1n, masks, ...sets, ...security, 0n, 0n);
}

/** Masks are taken where nothing is in the way: with plain features at the highest level. */
function isMasked({ name, el2, el3, level }: Configuration): boolean {
  return name.startsWith("with") && level === (el3 ? 3 : el2 ? 2 : 1);
}

/** `-cpu` of a model. */
const CPU_OPTION: Readonly<Record<RecordedModel, string>> = {
  "cortex-a57": "cortex-a57",
  "max": "max,sve=off,sme=off",
};

async function run(model: RecordedModel, configuration: Configuration): Promise<BigUint64Array> {
  const { el2, el3 } = configuration;
  const directory = Deno.makeTempDirSync({ prefix: "hindsight-probe-" });
  const load = (name: string, bytes: Uint8Array, address: bigint) => {
    Deno.writeFileSync(`${directory}/${name}`, bytes);
    const options = `loader,file=${directory}/${name},addr=0x${address.toString(16)},force-raw=on`;
    return ["-device", options];
  };
  try {
    Deno.writeFileSync(`${directory}/boot`, BOOT);
    const machine = `virt${el2 ? ",virtualization=on" : ""}${el3 ? ",secure=on" : ""}`;
    const args = [
      "-M",
      machine,
      "-cpu",
      CPU_OPTION[model],
      ..."-m 256 -display none -nodefaults -semihosting".split(" "),
    ];
    args.push("-bios", `${directory}/boot`, ...load("probe", probe.bytes, BASE));
    args.push(...load("parameters", parameters(configuration), PARAMETERS));
    args.push(...load("excluded", words(...excluded(configuration), 0n), EXCLUDED));
    const command = new Deno.Command("qemu-system-aarch64", { args, signal: AbortSignal.timeout(60_000) });
    const { stdout, stderr } = await command.output();
    if (stdout.length !== (LAST_ENCODING - FIRST_ENCODING) * WORDS * 8) {
      const message = new TextDecoder().decode(stderr);
      throw new Error(`"${configuration.name}" left ${stdout.length} bytes: ${message}`);
    }
    return new BigUint64Array(stdout.slice().buffer);
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function outcomes(configuration: Configuration, results: BigUint64Array): Outcomes {
  const all: Outcomes = new Map();
  const usual = usualOutcome(configuration);
  for (let encoding = FIRST_ENCODING; encoding < LAST_ENCODING; encoding++) {
    for (const isRead of [true, false]) {
      const word = results[(encoding - FIRST_ENCODING) * WORDS + (isRead ? 0 : 2)] as bigint;
      const expected = systemAccessSyndrome(encoding, 0, isRead);
      const outcome = outcomeOf(Number(word >> 32n), Number(word & 0xffff_ffffn), expected);
      if (outcome !== usual) all.set(accessName(encoding, isRead), outcome);
    }
  }
  return all;
}

/** What differs from the configuration that everything else of the level is compared with. */
function differences(all: Outcomes, reference: Outcomes, usual: string): Outcomes {
  const result: Outcomes = new Map();
  for (const [access, outcome] of all) if (reference.get(access) !== outcome) result.set(access, outcome);
  for (const access of reference.keys()) if (!all.has(access)) result.set(access, usual);
  return result;
}

/** Counters, and the timers' views that move with them: what they read is the host's time. */
const MOVING: ReadonlySet<number> = new Set(
  ["CNTPCT_EL0", "CNTVCT_EL0", "RNDR", "RNDRRS", "CNTP", "CNTV", "CNTPS", "CNTHP", "CNTHV"].flatMap((name) =>
    /CT_|RND/.test(name) ? [encodingOf(name)] : ["TVAL", "CVAL"].map((view) => {
      const level = { CNTPS: 1, CNTHP: 2, CNTHV: 2 }[name] ?? 0;
      return encodingOf(`${name}_${view}_EL${level}`);
    })
  ),
);

/** Encoding, value after reset, and the values after writes of ones and zeros; numbers in hexadecimal. */
function values(results: BigUint64Array): string[] {
  const lines: string[] = [];
  for (let encoding = 0x8000; encoding < LAST_ENCODING; encoding++) {
    const at = (encoding - FIRST_ENCODING) * WORDS;
    const [read, value, write, ones, zeros] = results.subarray(at, at + WORDS) as unknown as bigint[];
    if (read !== 0n || MOVING.has(encoding)) continue;
    const numbers = write === 0n ? [value, ones, zeros] : [value];
    lines.push(
      [encoding.toString(16), ...numbers.map((number) => (number as bigint).toString(16))].join(" "),
    );
  }
  return lines;
}

/** What QEMU does, as the two fixtures hold it, and how many accesses that was. */
async function ask(model: RecordedModel): Promise<{ access: string; values: string; accesses: number }> {
  const header = `# QEMU 7.2.22, virt, ${model}; tests/oracle/register_oracle.ts`;
  const accessLines = [header], valueLines = [header];
  const known = new Map<string, Outcomes>();
  for (const configuration of CONFIGURATIONS[model]) {
    const results = await run(model, configuration);
    const all = outcomes(configuration, results);
    known.set(configuration.name, all);
    const reference = known.get(referenceOf(configuration) ?? "") ?? new Map();
    accessLines.push(`[${configuration.name}]`);
    accessLines.push(...printOutcomes(differences(all, reference, usualOutcome(configuration))));
    if (isMasked(configuration)) valueLines.push(`[${configuration.name}]`, ...values(results));
  }
  return {
    access: accessLines.join("\n") + "\n",
    values: valueLines.join("\n") + "\n",
    accesses: CONFIGURATIONS[model].length * (LAST_ENCODING - FIRST_ENCODING) * 2,
  };
}

if (import.meta.main) {
  let renewed = 0, accesses = 0, configurations = 0;
  const { model: only } = parseArgs(Deno.args, { string: ["model"], boolean: ["record"] });
  for (
    const model of (["cortex-a57", "max"] as const).filter((name) => only === undefined || name === only)
  ) {
    const found = await ask(model);
    for (const kind of ["access", "values"] as const) {
      const name = fixtureName(kind, model), text = found[kind];
      const path = new URL(`../fixtures/cpu/${name}`, import.meta.url);
      if (text === await Deno.readTextFile(path).catch(() => "")) continue;
      if (!Deno.args.includes("--record")) {
        throw new Error(`${name}: QEMU answers otherwise than the fixture says; renew it with --record`);
      }
      await Deno.writeTextFile(path, text);
      renewed++;
    }
    accesses += found.accesses;
    configurations += CONFIGURATIONS[model].length;
  }
  console.log(
    `registers: ${accesses} accesses in ${configurations} configurations as recorded` +
      (renewed > 0 ? `, ${renewed} fixtures renewed` : ""),
  );
}
