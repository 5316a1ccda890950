/**
 * The second stage without a host: a kernel image that enters it as Linux's kexec does, with segments at their places and a hypervisor
 * of a few instructions, which prints X0 and X1 and powers off.
 *
 * Linked at SECOND_STAGE_GUEST_BASE, entered as a `-kernel` at EL1 or EL2; needs PSCI by the conduit given.
 */
import type { Program } from "../../machine/a64/program.ts";
import { asm, bytes, label, org, Part, part, program } from "../../machine/a64/program_parts.ts";
import { imageHeader } from "../image.ts";
import { CONSOLE, UART_ADDRESS } from "../loader/console.ts";
import type { BootInfo, BootSegment } from "./layout.ts";
import { bootInfoBytes } from "./layout.ts";
import { secondStageBytes } from "./second_stage.ts";

/** Where it is linked, and where `-kernel` puts it. */
export const SECOND_STAGE_GUEST_BASE = 0x4020_0000n;

/** Bytes from there: the second stage, the hypervisor as it was staged, a segment of data. */
const STAGE_AT = 0x1000, STAGED_AT = 0x1_0000, DATA_AT = 0x2_0000, END_AT = 0x3_0000;
/** Where the hypervisor is moved. */
const FINAL = 0x4080_0000n;
/** Bytes that are moved: 8 of them do not fill a pair of registers. */
const HYPERVISOR_SIZE = 0x1008;

/** How it is to be. */
export interface SecondStageGuest {
  /** How PSCI is called: by HVC at EL1, by SMC from EL2. */
  readonly conduit: "hvc" | "smc";
  /** SHA-256, which is not this folder's to compute. */
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
  /** Changes a byte of a segment after its digest was taken: 0 for the hypervisor, 1 for the data. */
  readonly wrong?: { readonly segment: number; readonly byte: number };
  /** The quiesce list. */
  readonly devices?: BootInfo["devices"];
  /** HCR_EL2 before the second stage is entered, as a VHE host leaves it. */
  readonly hcr?: bigint;
}

/** Prints its registers; at FINAL. The last byte of what is moved is its own, what is behind must be zero. */
function hypervisor(conduit: "hvc" | "smc"): Uint8Array<ArrayBuffer> {
  const call = conduit === "hvc" ? asm`hvc #0` : asm`smc #0`;
  const { bytes: code } = program([
    part(
      "hypervisor",
      asm`
        mov     x20, x0
        mov     x21, x1
        ldr     x26, =${UART_ADDRESS}
        adr     x0, text
        bl      put_text
        mov     x0, x20
        bl      put_hex
        mov     x0, x21
        bl      put_hex
        mrs     x0, currentel
        bl      put_hex
        mrs     x0, hcr_el2
        bl      put_hex
        ldr     x1, =${FINAL + BigInt(HYPERVISOR_SIZE) - 8n}
        ldp     x0, x1, [x1]
        add     x0, x0, x1
        bl      put_hex
        ldr     w0, =0x84000008                 // SYSTEM_OFF
        ${call}
        .ltorg
text:   .asciz  "hypervisor: "
        .balign 4`,
    ),
    new Part(() => CONSOLE.text, "console"),
  ], { name: "hypervisor", base: FINAL });
  const padded = new Uint8Array(HYPERVISOR_SIZE);
  padded.set(code);
  padded[HYPERVISOR_SIZE - 8] = 0x2a;
  return padded;
}

/** Makes the guest; `entry` of the second stage is at STAGE_AT. */
export function secondStageGuest(options: SecondStageGuest): Program {
  const { conduit, sha256, wrong, devices = [], hcr } = options;
  const code = hypervisor(conduit), data = Uint8Array.from({ length: 1000 }, (_, at) => at * 7 & 0xff);
  const contents = [code, data], places = [STAGED_AT, DATA_AT], names = ["hypervisor", "data"];
  const segments: BootSegment[] = contents.map((content, index) => ({
    name: names[index]!,
    address: SECOND_STAGE_GUEST_BASE + BigInt(places[index]!),
    size: content.length,
    digest: sha256(content),
  }));
  if (wrong !== undefined) contents[wrong.segment]![wrong.byte]! ^= 1;
  const info: BootInfo = {
    segments,
    moves: [{ from: segments[0]!.address, to: FINAL, size: HYPERVISOR_SIZE, total: HYPERVISOR_SIZE + 24 }],
    devices,
    entry: FINAL,
    x0: 0x1bad_b005n,
    x1: 0x1234_5678n,
    conduit,
    uart: UART_ADDRESS,
  };
  const entry = label("entry"), end = label("end");
  return program([
    imageHeader({ entry, size: end }),
    part(
      "previous",
      entry,
      hcr === undefined ? asm`nop` : asm`
        ldr     x0, =${hcr}
        msr     hcr_el2, x0
        isb`,
      asm`
        ldr     x1, =${FINAL + BigInt(HYPERVISOR_SIZE)}
        mov     x0, #-1
        str     x0, [x1]                        // what the move has to make zero
        mov     x0, xzr
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        ldr     x4, =${SECOND_STAGE_GUEST_BASE + BigInt(STAGE_AT)}
        br      x4
        .ltorg`,
    ),
    org(STAGE_AT),
    bytes(secondStageBytes(bootInfoBytes(info))),
    org(STAGED_AT),
    bytes(code),
    org(DATA_AT),
    bytes(data),
    org(END_AT),
    end,
  ], { name: "second_stage_guest", base: SECOND_STAGE_GUEST_BASE });
}
