/** tee-migration's checks of programs that a destination cannot have: refused with the reason, before anything is sent. */
import { programImage, TICKER_SOURCE } from "../../../firmware/tee_migration/enclave_programs.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { EXTENSIONS_WRITE, TICKER_WRITES } from "./enclave_alone.ts";
import { liveProgram } from "./enclave_lives.ts";
import {
  E16,
  E64,
  EAST,
  extensions,
  MAX_E,
  MOVE_AT,
  R,
  ticker,
  WEST,
  withOptions,
  wrongOf,
} from "./enclave_ways.ts";
import { type ProgramWorld, programWorld } from "./enclave_worlds.ts";
import { hosts, REALM_IMAGES } from "./worlds.ts";

/** A program, or a realm, that cannot go where it is sent, and the reason that is given. */
export interface Refusal {
  /** In words. */
  readonly name: string;
  /** Where it is, and where it is sent. */
  readonly world: ProgramWorld;
  /** What it writes where it stays; the ticker's text by default. */
  readonly writes?: string;
  /** What the operator is told. */
  readonly reason: RegExp;
}

/** What a small realm writes. */
const REALM_WRITES = "mbhogpjeanlkklnaejpgohbmif";

/** A realm with a kernel of its own, sent to a host of enclaves. */
function realmToEnclaves(): ProgramWorld {
  const { world, images, command } = programWorld(R, E64, ticker()), realm = hosts();
  return {
    world: { ...world, nodes: [realm.nodes[EAST]!, world.nodes[WEST]!] },
    images: new Map([...images, ...REALM_IMAGES]),
    command,
  };
}

/** All of them, made when they are wanted. */
export const REFUSALS: readonly (() => Refusal)[] = [
  () => ({
    name: "a realm with a kernel",
    world: realmToEnclaves(),
    reason: /a kernel of its own is not canonical/,
    writes: REALM_WRITES,
  }),
  () => ({
    name: "a program that must stay in realms",
    world: programWorld(R, E64, ticker({ crossesTypes: false })),
    reason: /must stay in a TEE of type R/,
  }),
  () => ({
    name: "extensions, and no shims at the destination",
    world: programWorld(MAX_E, E64, extensions(true)),
    reason: /lacks LSE, DotProd, SHA512, SHA3, FlagM, JSCVT, RDM/,
    writes: EXTENSIONS_WRITE,
  }),
  () => ({
    name: "extensions, and no shims allowed",
    world: programWorld(MAX_E, withOptions(E64, { shims: "on" }), extensions(false)),
    reason: /could only emulate LSE/,
    writes: EXTENSIONS_WRITE,
  }),
  () => ({
    name: "an extension that cannot be emulated",
    world: programWorld(
      MAX_E,
      withOptions(E64, { shims: "on" }),
      programImage(TICKER_SOURCE, { features: "PAuth+LSE", allowsShims: true }),
    ),
    reason: /lacks PAuth$/,
  }),
  () => ({
    name: "pages that would share one of 64 KiB",
    world: programWorld(R, E64, ticker({ dataAt: 0x4000n })),
    reason: /share a page of 64 KiB/,
  }),
  () => ({
    name: "pages that would share one of 16 KiB",
    world: programWorld(R, E16, ticker({ dataAt: 0x2000n })),
    reason: /share a page of 16 KiB/,
  }),
  () => ({
    name: "a destination without the cluster's key",
    world: programWorld(R, withOptions(E64, { cluster: "another one's key" }), ticker()),
    reason: /does not answer/,
  }),
];

/** What is wrong with a refusal. */
export function notRefused(
  context: CheckContext,
  { name, world, reason, writes = TICKER_WRITES }: Refusal,
): string[] {
  const failures: string[] = [];
  const life = liveProgram(context, world, [world.command(100_000, EAST, "migrate")]);
  const told = life.told.flat();
  if (life.text !== writes || life.consoles[WEST] !== "") {
    failures.push(`${name}: it wrote "${life.text}"`);
  }
  if (!told.some((line) => reason.test(line))) {
    failures.push(`${name}: the reason was not given, but ${told.join("; ")}`);
  }
  const pages = life.events.filter((event) => event.kind === "messageSent" && event.size > 1024);
  if (pages.length > 0) failures.push(`${name}: ${pages.length} messages had pages`);
  return failures;
}

/** What a destination cannot have is refused before anything of it is sent, with the reason; what is like it is not. */
export async function programRefusals(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [];
  for (const refusal of REFUSALS) {
    failures.push(...notRefused(context, refusal()));
    await context.breathe();
  }
  const { from, to } = { from: R, to: withOptions(E64, { granule: "4K" }) };
  const world = programWorld(from, to, ticker({ dataAt: 0x2000n }));
  const life = liveProgram(context, world, [world.command(MOVE_AT, EAST, "migrate")]);
  failures.push(...wrongOf(life, to, TICKER_WRITES).map((what) => `neighbours to pages of 4 KiB: ${what}`));
  if (life.consoles[WEST] === "") failures.push("neighbours were not taken where pages have 4 KiB");
  return { failures, figures: { refusals: REFUSALS.length } };
}
