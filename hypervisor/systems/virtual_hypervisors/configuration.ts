/** What a machine must be to be partitioned, and its manifest. */
import { ConfigurationError } from "../../../machine/errors.ts";
import type { MonitorSite } from "../../../machine/monitor.ts";
import { type Manifest, manifestSchema } from "./operator_calls.ts";

/** Throws ConfigurationError for a machine in which virtual machines cannot be told apart. */
export function refuseMachine({ board: { configuration } }: MonitorSite): void {
  const { cpus, strictModels, semihosting, gicVersion, its, consoleInput } = configuration;
  const reasons: readonly (readonly [boolean, string])[] = [
    [cpus > 1, "virtual machines take turns on one PE: use -smp 1"],
    [strictModels.length > 0, "strict caches and TLBs are not partitioned: leave --strict out"],
    [semihosting, "semihosting is the machine's own: leave -semihosting out"],
    [
      gicVersion === 3 && its,
      "there is no interrupt translation service for them: use -M virt,gic-version=3,its=off",
    ],
    [consoleInput === "uart1", "the machine's line is uart0"],
  ];
  for (const [isSo, reason] of reasons) {
    if (isSo) throw new ConfigurationError(`Cannot partition the machine: ${reason}`);
  }
}

/** Throws ConfigurationError for what is no manifest. */
export function parseManifest(text: string, address: number): Manifest {
  const where = `the manifest at 0x${address.toString(16)}`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ConfigurationError(
      `Cannot read ${where}: it is no JSON; load one with -device loader,file=…,addr=…`,
    );
  }
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ConfigurationError(`Cannot read ${where}: ${issue?.path.join(".")}: ${issue?.message}`);
}
