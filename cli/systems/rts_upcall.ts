/** rts-upcall (US20190391814A1, US11042485B2): firmware runtime services done at EL2 or EL3. */
import type { CheckContext, SystemScenario } from "./scenario.ts";
import { diffOfBackEnds, equalStreams } from "./rts_upcall/calls.ts";
import { type Setting, settingText, variablesOfDebian, withoutServices } from "./rts_upcall/debian.ts";
import { bisectTheBoot } from "./rts_upcall/history.ts";
import { BACK_ENDS, type BackEnd, DEBIAN_GUESTS } from "./rts_upcall/machines.ts";
import { cutsAtSteps, cutsAtWrites, cutsOfDebian } from "./rts_upcall/power.ts";

const EXPLAIN =
  `Every pointer of EFI_RUNTIME_SERVICES leads to a stub of two instructions in a read-only page:

    HVC #n (or SMC #n); RET             n = 0x5200 + the service's place in its table

AAPCS64 leaves the arguments in X0 to X7. The monitor takes the service from ESR_EL2.ISS[15:0] (class 0x16; 0x17 at EL3)
and the caller's level from SPSR_ELx.M. Pointers are the caller's virtual addresses: AT S12E1R or S12E1W for EL1, S1E2R or
S1E2W for EL2, page by page, with PAR_EL1 saved; what is not mapped, not writable where it is to be written, a device or
nothing is EFI_INVALID_PARAMETER, and then nothing was written. EFI_STATUS comes back in X0.

The variables are a log on a disk of the monitor's own, which the guest has no other way to. A value is written behind the
last, sector by sector, and flushed; its CRC makes it count. A full area is copied to the other one, which comes in force by
one sector. Whenever the power fails, the value is the old or the new one.

    hindsight record --monitor el2:rts-upcall,drive=nvram -drive if=none,id=nvram,format=raw,file=F …
    in a script: monitor el2 rts-upcall fail-power N      the disk loses power before its Nth operation from now
    hindsight disk RUN --drive nvram --durable -o F2      what the next machine starts with

Whose services: hand-off A leaves what a boot stub leaves, and no firmware runs; hand-off B is a firmware of upcalls
throughout, boot services too, below Linux's own unmodified stub.

Hand-off A: the EFI shell of firmware/efi (system table, memory map, /chosen linux,uefi-*). Its start probes the conduit,
and puts the tables with services in place only when somebody answers: an UNDEFINED HVC or SMC would end Linux later.

Hand-off B: the monitor keeps memory map, pools and protocols until ExitBootServices; SetVirtualAddressMap converts the
pointers of the tables, while stubs stay as they are. Linux 6.1 calls it only for processors whose firmware depends on it;
SMBIOS says that this is one.

Look at it:

    hindsight events RUN --kind firmwareServiceCalled,firmwareServiceReturned,variableWritten
    hindsight query RUN 'kind == "variableWritten" && name == "BootOrder"'
    hindsight disk RUN --at N --drive nvram -o F          the store at any instant
    hindsight diff EL2-RUN EL3-RUN                        the exceptions differ, the services do not
`;

const [EL2, EL3, EL3_FOR_EL2] = BACK_ENDS as readonly [BackEnd, BackEnd, BackEnd];

/** Machines between which a disk goes. */
const PAIRS: readonly (readonly [Setting, Setting])[] = [
  [{ backEnd: EL2, handOff: "A" }, { backEnd: EL3, handOff: "B" }],
  [{ backEnd: EL3_FOR_EL2, handOff: "B" }, { backEnd: EL2, handOff: "B" }],
  [{ backEnd: EL3, handOff: "A" }, { backEnd: EL3_FOR_EL2, handOff: "A" }],
];

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "rts-upcall",
  explain: EXPLAIN,
  checks: [
    {
      name:
        "random calls with pointers of every kind: EL2 and EL3 give equal answers, events and stores, on every engine",
      run: equalStreams,
    },
    {
      name: "the back ends' traps side by side: only the exceptions by which they are called differ",
      run: diffOfBackEnds,
    },
    {
      name: "power cuts at every operation of the disk leave the old or the new value, and all others",
      run: cutsAtWrites,
    },
    {
      name: "power cuts at the steps around a call leave the old value before it and the new one after",
      run: cutsAtSteps,
    },
    {
      name:
        "of many writes the one that broke the next boot: bisect with boots of the disk at each instant, and a query",
      run: bisectTheBoot,
    },
    ...PAIRS.map((pair, index) => ({
      name:
        `Debian, ${
          settingText(pair[0])
        }: efivar, efibootmgr, rtc-efi and a reset by firmware; after a power cycle the ` +
        `same variables by ${settingText(pair[1])}`,
      needs: DEBIAN_GUESTS,
      isLong: index > 0,
      run: (context: CheckContext) =>
        variablesOfDebian(context, pair, context.all ? ["threaded"] : [], `debian-${index}`),
    })),
    {
      name: "Debian where nobody answers: no services, no trouble, and the same on QEMU",
      needs: DEBIAN_GUESTS,
      isLong: true,
      run: withoutServices,
    },
    {
      name:
        "Debian writes while its disk loses power at each operation; the next boot finds the old or the new value",
      needs: DEBIAN_GUESTS,
      isLong: true,
      run: (context) => cutsOfDebian(context, EL2),
    },
  ],
};
