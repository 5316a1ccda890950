/** Loaders behind a stage that leaves translations and cached lines behind. */
import { previousStage } from "../../../firmware/loader/previous_stage.ts";
import type { CheckContext, Recorded } from "../scenario.ts";
import { ENDING, loaded, type Loader, machineOptions } from "./loaders.ts";

/** A loader and where it is put. */
export interface Case {
  /** The loader. */
  readonly loader: Loader;
  /** The machine address. */
  readonly ma: number;
}

/** Where the stage is loaded, unless the loader is near. */
const STAGE_AT = 0x5000_0000, OTHER_STAGE_AT = 0x6000_0000, NEAR = 0x100_0000;

/** Virtual address of the vector of the planned abort. */
export function handlerOf({ program }: Pick<Loader, "program">): bigint {
  return (program.symbols.get("boot_vectors") ?? 0n) + 0x200n;
}

/** Records a stage that runs at the loader's handler and reads its memory by translations of its own, then the loader. */
export function recordBehindStage(
  context: CheckContext,
  { loader, ma }: Case,
  options: readonly string[],
  name?: string,
): Promise<Recorded> {
  const at = Math.abs(ma - STAGE_AT) < NEAR ? OTHER_STAGE_AT : STAGE_AT, { size } = loader.program;
  const stage = previousStage({
    ...loader.options,
    base: BigInt(at),
    loader: BigInt(ma),
    size,
    handler: handlerOf(loader),
  });
  return context.record({
    ...(name === undefined ? {} : { name }),
    options: [
      ...machineOptions(loader),
      ...loaded("stage.bin", at, true),
      ...loaded("loader.bin", ma),
      ...options,
      ...ENDING,
    ],
    files: { "stage.bin": stage.bytes, "loader.bin": loader.program.bytes },
  });
}
