/** tee-migration's checks of programs in enclaves and realms. */
import { besideDebian } from "./enclave_debian.ts";
import { programCrashes, programMeddling } from "./enclave_crashes.ts";
import { programsMove, shimmedMoves } from "./enclave_moves.ts";
import { plantedInPrograms } from "./enclave_planted.ts";
import { programRefusals } from "./enclave_refusals.ts";
import type { SystemCheck } from "../scenario.ts";
import { enclavesAlone, enclavesKeep, intrusions, shims, trespasses } from "./enclave_alone.ts";

/** In order. */
export const ENCLAVE_CHECKS: readonly SystemCheck[] = [
  {
    name: "an enclave writes the same with pages of 4, 16 and 64 KiB, below EL1 and EL2, under strict models",
    run: enclavesAlone,
  },
  {
    name: "nothing of an enclave is in normal memory or in registers that the normal world gets back",
    run: enclavesKeep,
  },
  { name: "accesses to an enclave's memory abort, and forged calls are refused", run: intrusions },
  { name: "an enclave that does what it may not is ended and cleared", run: trespasses },
  { name: "extensions that a CPU lacks are emulated: the same output, and each is told", run: shims },
  {
    name: "programs move between enclaves and realms, between pages of 4, 16 and 64 KiB, at random instants",
    run: programsMove,
  },
  {
    name: "either agent crashes while a program moves: one program goes on, and it is whole",
    run: programCrashes,
  },
  {
    name: "a link meddles with a program's messages: one program goes on, and it is whole",
    run: programMeddling,
  },
  {
    name: "what is not canonical, or not to be had, is refused by its reason, and no page is sent",
    run: programRefusals,
  },
  { name: "a program goes on where its extensions are emulated", run: shimmedMoves },
  { name: "faults planted in hosts of programs are found", isLong: true, run: plantedInPrograms },
  {
    name: "an enclave works beside Debian, whose root cannot look into it",
    needs: ["linux-cloud"],
    isLong: true,
    run: besideDebian,
  },
];
