/**
 * dpu-provision (US12197939B2): a host's installer publishes the image of a DPU's management OS, the management controller
 * fetches it and hands it to the DPU, whose firmware has it as a volatile disk and boots an installer from there.
 */
import { atomicWindows, powerCuts } from "./dpu_provision/cuts.ts";
import { debianCuts, debianRun } from "./dpu_provision/debian.ts";
import { DEBIAN_GUESTS } from "./dpu_provision/debian_world.ts";
import { firmwareRefuses, lostMessages, refusals, restarts, wholeRun } from "./dpu_provision/small.ts";
import { redfishService } from "./dpu_provision/redfish.ts";
import type { SystemScenario } from "./scenario.ts";

const EXPLAIN = `A world of three nodes, and what goes between them:

    host  →  bmc   GET Systems/dpu; POST UpdateService.SimpleUpdate {ImageURI}        network
    bmc   →  host  GET URI.manifest, GET URI: SHA-256 checked                         network
    bmc   →  dpu   power cycle                                                        power
    dpu   →  bmc   ready {model, room of a volatile disk}                             message
    bmc   →  dpu   offer, chunks; dpu asks for what it wants                          message
    dpu            SHA-256; Boot0000 = RAM disk, BootNext = 0000 (SetVariable); reset, which leaves RAM as it is
    dpu            BootNext, once: the installer, from the volatile disk: the other partition, flush, read back,
                   its header, flush, BootOrder = that, the old one (one record of the variables' log); reset
    dpu   →  bmc   booting {entry, version}: the task is Completed; the volatile disk is gone

A loss of power leaves either BootOrder; a partition is entered when the SHA-256 in its header holds. Firmware takes the
image in RAM by SMC from the monitor at EL3 (--monitor el3:rts-upcall,drive=D+dpu-provision), which has the FIFO.

    W=.systems/dpu-provision/small.hsworld (and debian.hsworld with --all): hindsight world events W --kind nodeTold;
    hindsight world replay W --threads 2; hindsight world extract W dpu -o F; hindsight events F --kind variableWritten
`;

/** The system for `hindsight system`. */
export const dpuProvision: SystemScenario = {
  slug: "dpu-provision",
  explain: EXPLAIN,
  checks: [
    {
      name: "a small DPU is provisioned; the world replays on every engine and by two threads",
      run: wholeRun,
    },
    {
      name: "no image, a short, corrupt, foreign or too large one: an Exception, the DPU unchanged",
      run: refusals,
    },
    { name: "the DPU's firmware refuses by itself what it should not be offered", run: firmwareRefuses },
    {
      name: "the controller restarts in mid-transfer and goes on; the host restarts in mid-fetch",
      run: restarts,
    },
    {
      name: "the controller's Redfish service: every resource by its schema, every refusal",
      run: redfishService,
    },
    { name: "one message in ten is lost on the channel", run: lostMessages },
    { name: "the power of each node, or of all, is cut at 200 and more positions: 0 bricks", run: powerCuts },
    {
      name: "the safe order has no window without a system; bisect finds those of unsafe orders",
      run: atomicWindows,
    },
    {
      name: "Debian on the host has Debian installed on the DPU from its volatile disk; the world replays",
      needs: DEBIAN_GUESTS,
      isLong: true,
      run: debianRun,
    },
    {
      name: "with Debian, the power of all is cut at 200 positions and the DPU's comes back: 0 bricks",
      needs: DEBIAN_GUESTS,
      isLong: true,
      run: debianCuts,
    },
  ],
};
