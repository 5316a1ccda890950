/** serial-consoles (US20190258590A1): several consoles on one serial line. */
import type { SystemScenario } from "./scenario.ts";
import { checkRewind } from "./serial_consoles/rewinding.ts";
import { checkBytes } from "./serial_consoles/small_guest.ts";
import { checkSwitches } from "./serial_consoles/switches.ts";
import { checkTables } from "./serial_consoles/tables.ts";
import { checkIdentification, checkPainter, checkTerminal } from "./serial_consoles/terminals.ts";
import { checkDebugger } from "./serial_consoles/debugger.ts";

const EXPLAIN =
  `The board's PL011 (0x09000000, INTID 33) belongs to the monitor at EL2 and is the only line out. The pages of both PL011s are
missing from the guest's stage 2: an access is a data abort from a lower level (EC 0x24, HPFAR_EL2), done on a model of the
device whose UARTINTR is an input of the virtual interrupt controller. What the guest transmits is taken in by a terminal
without a display, a grid of cells for each console; the grid that is shown is painted on the line, as differences from what
the terminal there shows already. Received bytes go to the console that is shown. Ctrl-G Ctrl-B and a key show another:
  1 log      the second port, for the kernel (console=ttyAMA1)     2 shell    the first port, for a getty (ttyAMA0)
  3 status   the machine and its consoles, by the monitor          ? gdb      a GDB remote stub: the guest stops
The prefix twice is the prefix for the guest; a prefix without more goes through after the timeout (virtual time). Out of gdb
no key leads, only the operator: monitor el2 serial-consoles switch shell. Others of its commands: attach (a new terminal is at
the line), identify, encoding utf-8|ascii, resize COLUMNSxROWS. Options: start=, size=, encoding=, charset=utf-8|cp437,
timeout= and refresh= in ms, backlog= in bytes (what comes beyond it sets OE), identify=on.

To use it:
  hindsight record -M virt,uart1=on --monitor el2:serial-consoles -kernel Image -append "console=ttyAMA1" …
  gdb-multiarch -ex 'target remote | hindsight record --monitor el2:serial-consoles,start=gdb …'
To look at it: what came over the line is all the input there is, so consoles can be had as they were at any instant:
  hindsight events RUN --kind consoleSwitched
  hindsight rewind RUN --search "Run /init"        where a text was printed, on which console, at which instant
  hindsight rewind RUN --console log --at 300000000   the screen as it was then, shown or not
  hindsight rewind RUN                                on a terminal: back and forth line by line, search, jump
`;

/** The system for `hindsight system`. */
export const scenario: SystemScenario = {
  slug: "serial-consoles",
  explain: EXPLAIN,
  checks: [
    {
      name: "a terminal shows what tmux shows of random output: characters, looks, cursor",
      run: checkTerminal,
    },
    {
      name: "tmux, fed with the painter's bytes alone, shows the terminal's cells after each random output",
      run: checkPainter,
    },
    { name: "a terminal at the line is known by its answers", run: checkIdentification },
    {
      name: "iasl reads the line's port in SPCR and DBG2, and that the machine is headless",
      run: checkTables,
    },
    {
      name:
        "rewound consoles equal the machine's at random instants, and a printed text leads to the step that wrote it",
      run: checkRewind,
    },
    {
      name: "each byte reaches the console it is for, once, among random key sequences; every engine",
      run: checkBytes,
    },
    {
      name:
        "during vi and top, after each repaint of random switches, tmux fed with the line alone equals the console, cell by cell",
      needs: ["linux-cloud"],
      run: checkSwitches,
    },
    {
      name:
        "one line carries Debian's log, getty, status and gdb-multiarch: threads, EL1 registers, memory, breakpoints, steps; no key leads out",
      needs: ["linux-cloud"],
      run: checkDebugger,
    },
  ],
};
