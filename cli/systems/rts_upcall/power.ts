/** Losses of power: at every operation of the disk, and at instants around a call; the store then has the old or the new value. */
import {
  exerciser,
  type ExerciserCall,
  immediateOf,
  WINDOW,
} from "../../../firmware/rts_upcall/exerciser.ts";
import { type Variable, variableDisk } from "../../../hypervisor/variable_store/variable_log.ts";
import { guidBytes } from "../../../machine/guid.ts";
import type { CheckContext, CheckOutcome, Recorded } from "../scenario.ts";
import {
  BACK_ENDS,
  type BackEnd,
  debianRequest,
  diskOf,
  monitorOptions,
  namesOf,
  serviceEvents,
  typed,
} from "./machines.ts";

const VENDOR = "12345678-9abc-def0-1122-334455667788";
const NAME_AT = 0x40, VENDOR_AT = 0x20, DATA_AT = 0x800;
/** A store that one more value makes move to its other area. */
const SMALL = 0x4000;

const variable = (name: string, fill: number, size: number): Variable => (
  { vendor: VENDOR, name, attributes: 7, data: new Uint8Array(size).fill(fill) }
);

/** A machine that sets "v" to so many bytes, once. */
async function setOnce(
  context: CheckContext,
  name: string,
  disk: Uint8Array,
  size: number,
  script: readonly string[],
): Promise<Recorded> {
  const call: ExerciserCall = {
    immediate: immediateOf("SetVariable"),
    arguments: [
      WINDOW + BigInt(NAME_AT),
      WINDOW + BigInt(VENDOR_AT),
      7n,
      BigInt(size),
      WINDOW + BigInt(DATA_AT),
    ],
  };
  const contents = [
    [NAME_AT, Uint8Array.of(0x76, 0, 0, 0)],
    [VENDOR_AT, guidBytes(VENDOR)],
    [DATA_AT, new Uint8Array(0x400).fill(0x55)],
  ] as const;
  const { bytes } = exerciser({ level: 1, conduit: "hvc", calls: [call], contents });
  return await context.record({
    name,
    options: ["-kernel", "guest", "-m", "16M", ...monitorOptions(context, BACK_ENDS[0]!, name, disk)],
    files: { guest: bytes },
    ...(script.length > 0 ? { script } : {}),
  });
}

/** Cuts before each operation of a set, an append and a move, with a whole record and without. */
export async function cutsAtWrites(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], figures: Record<string, number> = {};
  for (
    const [what, size, fillers] of [["appended", 900, 1], ["deleted", 0, 1], ["moved", 900, 13]] as const
  ) {
    const old = variable("v", 9, 400);
    const kept = [old, ...Array.from({ length: fillers }, (_, index) => variable(`f${index}`, index, 10))];
    const before = variableDisk(SMALL, kept);
    let cuts = 0, wasOld = 0, isNew = 0;
    for (let operations = 0;; operations++) {
      const script = [`monitor el2 rts-upcall fail-power ${operations}`];
      const recorded = await setOnce(context, `cut-${what}-${operations}`, before, size, script);
      const isCut = recorded.console === "";
      const found = namesOf(await diskOf(context, recorded)), now = found.get("v")?.data;
      const isOld = now?.length === 400 && now.every((byte) => byte === 9);
      const isSet = size === 0 ? now === undefined : now?.length === size && now[0] === 0x55;
      if (!isOld && !isSet) {
        failures.push(
          `${what}, cut at ${operations}: "v" has ${now?.length ?? "no"} bytes`,
        );
      }
      if (!isCut && !isSet) failures.push(`${what}: the call came back, and the value is not there`);
      for (const { name, data } of kept.slice(1)) {
        if (found.get(name)?.data.toHex() !== data.toHex()) {
          failures.push(
            `${what}, cut at ${operations}: ${name} is lost`,
          );
        }
      }
      if (isOld) wasOld++;
      else isNew++;
      failures.push(...await context.replayOn(recorded, ["reference"]));
      if (!isCut) break;
      cuts++;
    }
    const least = what === "moved" ? 15 + 3 : 2; // a move: every sector, a flush, the area's first, a flush
    if (cuts < least) failures.push(`${what}: only ${cuts} cuts`);
    figures[`${what}: cuts`] = cuts;
    figures[`${what}: old`] = wasOld;
    figures[`${what}: new`] = isNew;
  }
  return { failures, figures };
}

/** The guest's power is cut before and after the step of the call, and before and after its neighbours. */
export async function cutsAtSteps(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], before = variableDisk(SMALL, [variable("v", 9, 400)]);
  const whole = await setOnce(context, "steps", before, 900, []);
  const called = serviceEvents(whole).find(({ kind }) => kind === "firmwareServiceCalled")!.instant;
  const found: string[] = [];
  for (let instant = called - 3; instant <= called + 4; instant++) {
    const recorded = await setOnce(context, `step-${instant - called}`, before, 900, [
      `at ${instant} power cut`,
    ]);
    const size = namesOf(await diskOf(context, recorded)).get("v")?.data.length,
      wanted = instant <= called ? 400 : 900;
    if (recorded.end.reason !== "powerCut") {
      failures.push(`cut at ${instant}: ended by ${recorded.end.reason}`);
    }
    if (size !== wanted) failures.push(`cut at ${instant}: "v" has ${size} bytes, not ${wanted}`);
    found.push(`${size}`);
  }
  return { failures, figures: { "step of the call": called, "bytes after each cut": found.join(" ") } };
}

/** Debian appends to a variable (efivar deletes one before it writes another) while its disk loses power at each operation; another boot finds the old or the new. */
export async function cutsOfDebian(context: CheckContext, backEnd: BackEnd): Promise<CheckOutcome> {
  const failures: string[] = [], name = `${VENDOR}-Power`;
  const parent = await context.record(debianRequest(context, {
    backEnd,
    name: "cut-parent",
    script: [
      ...typed(
        `printf old > /tmp/v; efivar -t 7 -n ${name} -w -f /tmp/v; head -c 900 /dev/zero > /tmp/w; echo READY`,
      ),
      ...typed(`echo 1; efivar -a -t 7 -n ${name} -f /tmp/w; echo WRITTEN`),
      'send "reboot -f\\r"',
    ],
  }));
  const sets = serviceEvents(parent).flatMap((event) => event.kind === "variableWritten" ? [event] : []);
  const second = sets.find((event) => event.before.length > 0);
  if (second === undefined) return { failures: ["the variable was not written twice"], figures: {} };
  const found: string[] = [];
  for (let operations = 0; operations < 5; operations++) {
    const cut = await context.fork({
      parent,
      at: second.instant - 100,
      script: [`monitor el${backEnd.monitor} rts-upcall fail-power ${operations}`],
      until: second.instant + 1000,
      name: `cut-debian-${operations}`,
    });
    const disk = await diskOf(context, cut), size = namesOf(disk).get("Power")?.data.length ?? 0;
    const isCut = cut.run.stored({ from: second.instant - 1, to: Infinity, classes: ["trap"] });
    const stopped = [...isCut].some((event) => event.kind === "monitorStopped");
    if (size !== 3 && size !== 903) failures.push(`cut at ${operations}: the variable has ${size} bytes`);
    if (!stopped && size !== 903) failures.push(`cut at ${operations}: set, and not there`);
    const again = await context.record(debianRequest(context, {
      backEnd,
      name: `cut-again-${operations}`,
      disk,
      script: [...typed(`efivar -n ${name} -p | wc -l; echo SHOWN`), 'send "reboot -f\\r"'],
    }));
    const lines = Number(/^(\d+)\r$/m.exec(again.console)?.[1]),
      wanted = size === 3 ? 8 : 7 + Math.ceil(903 / 16);
    if (Math.abs(lines - wanted) > 1) {
      failures.push(`cut at ${operations}: efivar shows ${lines} lines for ${size} bytes`);
    }
    found.push(`${size}`);
    if (!stopped) break;
  }
  failures.push(...await context.replayOn(parent, ["threaded"]));
  return { failures, figures: { "bytes after each cut": found.join(" ") } };
}
