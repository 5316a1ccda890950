/**
 * `deno task oracle [--update] [--only NAME] [--quick]`: asks every outsider, and fails on any disagreement or on a
 * fixture that is not what an outsider says today. `--update` renews the fixtures, `--quick` takes fewer cases and oracles,
 * `--only` one oracle of the table, to whose script all other arguments go; it prints as it goes.
 */
import { parseArgs } from "@std/cli";
import { MissingOutsiderError } from "./outsider.ts";

/** A line of the table, the longest oracle first. */
interface Oracle {
  /** Name for `--only`. */
  readonly name: string;
  /** Script beside this one. */
  readonly script: string;
  /** Programs it needs, alternatives with `|`, each with the Debian package that has it. */
  readonly needs: readonly (readonly [program: string, packageName: string])[];
  /** Arguments for `--update`. */
  readonly update: readonly string[];
  /** Arguments for `--quick`; undefined when it leaves the oracle out. */
  readonly quick: readonly string[] | undefined;
  /** What it may do beside files and programs. */
  readonly permissions?: readonly string[];
}

const QEMU_USER = ["qemu-aarch64|qemu-aarch64-static", "qemu-user-static"] as const;
const QEMU_SYSTEM = ["qemu-system-aarch64", "qemu-system-arm"] as const;
const LLVM = ["llvm-mc", "llvm"] as const;
const DTC = ["dtc", "device-tree-compiler"] as const;

const READOBJ = ["llvm-readobj", "llvm"] as const;

// deno-fmt-ignore
const ORACLES: readonly Oracle[] = [
  { name: "registers",    script: "register_oracle.ts",    needs: [QEMU_SYSTEM],                     update: ["--record"], quick: undefined },
  { name: "instructions", script: "instruction_main.ts",   needs: [QEMU_USER],                       update: ["--update"], quick: ["--quick"] },
  { name: "system",       script: "system/main.ts",        needs: [QEMU_SYSTEM],                     update: ["--update"], quick: ["--quick"] },
  { name: "translation",  script: "translation_oracle.ts", needs: [QEMU_SYSTEM],                     update: ["--record"], quick: ["--cases", "100"] },
  { name: "assembly",     script: "llvm_oracle.ts",        needs: [LLVM],                            update: [],           quick: ["--cases", "20"] },
  { name: "programs",     script: "program_oracle.ts",     needs: [LLVM],                            update: ["--record"], quick: [] },
  { name: "executables",  script: "firmware_oracle.ts",    needs: [QEMU_USER, QEMU_SYSTEM, READOBJ], update: [],           quick: [] },
  { name: "device-trees", script: "device_tree_oracle.ts", needs: [QEMU_SYSTEM, DTC],                update: ["--record"], quick: [] },
  { name: "network",      script: "network_oracle.ts",     needs: [QEMU_SYSTEM],                     update: ["--record"], quick: ["--quick"], permissions: ["--allow-net"] },
  { name: "boots",        script: "boot_oracle.ts",        needs: [QEMU_SYSTEM],                     update: [],           quick: [] },
  { name: "psci",         script: "psci_oracle.ts",        needs: [QEMU_SYSTEM],                     update: [],           quick: [] },
  { name: "devices",      script: "device_oracle.ts",      needs: [QEMU_SYSTEM],                     update: ["--record"], quick: [] },
];

/** Oracles that run at once: outsiders have time limits. */
const AT_ONCE = 2;

function isInstalled(alternatives: string): boolean {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return alternatives.split("|").some((program) =>
    folders.some((folder) => {
      try {
        return Deno.statSync(`${folder}/${program}`).isFile;
      } catch {
        return false;
      }
    })
  );
}

interface Outcome {
  readonly name: string;
  readonly text: string;
  readonly isAgreed: boolean;
  readonly seconds: number;
}

/** Runs an oracle's script; `isAlone` lets it print for itself. */
async function ask(
  { name, script, needs, permissions: more = [] }: Oracle,
  args: readonly string[],
  isAlone: boolean,
): Promise<Outcome> {
  const missing = needs.find(([program]) => !isInstalled(program));
  if (missing !== undefined) {
    const [program, packageName] = missing;
    const { message } = new MissingOutsiderError(program.split("|")[0] as string, packageName);
    return { name, text: message, isAgreed: false, seconds: 0 };
  }
  const start = performance.now();
  const permissions = ["--allow-read", "--allow-write", "--allow-run", "--allow-env", ...more];
  const path = new URL(script, import.meta.url).pathname;
  const output = isAlone ? "inherit" : "piped";
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", ...permissions, path, ...args],
    stdout: output,
    stderr: output,
  }).spawn();
  const seconds = () => (performance.now() - start) / 1000;
  if (isAlone) return { name, text: "", isAgreed: (await child.status).success, seconds: seconds() };
  const { stdout, stderr, success } = await child.output(), decoder = new TextDecoder();
  const text = (decoder.decode(stdout) + decoder.decode(stderr)).trimEnd();
  return { name, text, isAgreed: success, seconds: seconds() };
}

/** What is not for this script, and so for the one of `--only`. */
function otherArguments(args: readonly string[]): string[] {
  return args.filter((arg, at) => !/^--(only(=.*)?|update|quick)?$/.test(arg) && args[at - 1] !== "--only");
}

async function main(): Promise<void> {
  const options = parseArgs(Deno.args, { string: ["only"], boolean: ["update", "quick"] });
  const others = otherArguments(Deno.args), isAlone = options.only !== undefined;
  const oracles = ORACLES.filter(({ name, quick }) =>
    isAlone ? name === options.only : !options.quick || quick !== undefined
  );
  if (oracles.length === 0) {
    console.log(`There is no oracle "${options.only}": use ${ORACLES.map(({ name }) => name).join(", ")}`);
    Deno.exit(2);
  }
  if (!isAlone && others.length > 0) {
    console.log(`${others.join(" ")}: choose the oracle that takes this with --only NAME`);
    Deno.exit(2);
  }
  const modes = (["update", "quick"] as const).filter((mode) => options[mode]);
  let failed = 0, next = 0;
  const work = async () => {
    for (let oracle = oracles[next++]; oracle !== undefined; oracle = oracles[next++]) {
      const known = modes.flatMap((mode) => (oracle as Oracle)[mode] ?? []);
      const { name, text, isAgreed, seconds } = await ask(oracle, [...known, ...others], isAlone);
      console.log(`== ${name}, ${seconds.toFixed(0)} s${isAgreed ? "" : ": FAILED"}${text && "\n"}${text}`);
      if (!isAgreed) failed++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  console.log(`${oracles.length - failed} oracles agreed, ${failed} failed`);
  if (failed > 0) Deno.exit(1);
}

await main();
