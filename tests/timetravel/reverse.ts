/** Going back in a Linux boot of 10^9 steps: how long it takes, in what memory, beside QEMU with one snapshot. */
import { type OurFigures, quantile, type ServerFigures } from "./figures.ts";
import type { Row, RowContext } from "./row.ts";
import { recordRun, type TravelledRun } from "./run.ts";
import { measureOurServer, measureQemu } from "./servers.ts";

/** Watchpoints that servers are asked for: each costs QEMU seconds. */
const QUICK_WATCHES = 1, ALL_WATCHES = 5;
/** Of random instants. */
const SEED = Number(Deno.env.get("SEED") ?? 1);

/** Ours, measured in a process of its own. */
async function measureOurs({ journal, seed }: TravelledRun): Promise<OurFigures> {
  const measure = new URL("./ours.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-check", "-A", measure, journal, String(seed)],
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as OurFigures;
}

function time(milliseconds: number | undefined): string {
  if (milliseconds === undefined || Number.isNaN(milliseconds)) return "–";
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toFixed(2)} s`;
  return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

const megabytes = (bytes: number | undefined): string =>
  bytes === undefined ? "–" : `${(bytes / 2 ** 20).toFixed(0)} MiB`;

/** The table: a row for each question, a column for each who was asked. */
function table(
  ours: OurFigures,
  server: ServerFigures | undefined,
  qemu: ServerFigures | undefined,
): string[] {
  const watch = (figures: Pick<ServerFigures, "watches"> | undefined) =>
    time(figures && quantile(figures.watches.map(({ milliseconds }) => milliseconds), 0.5));
  const back = (figures: Pick<ServerFigures, "backs"> | undefined, part: number) =>
    time(figures && quantile(figures.backs, part));
  // deno-fmt-ignore
  const rows: readonly (readonly string[])[] = [
    ["",                              "timeline",                       "through gdb",             "QEMU"],
    ["reverse-stepi, p50",            back(ours, 0.5),                  back(server, 0.5),         back(qemu, 0.5)],
    ["reverse-stepi, p95",            back(ours, 0.95),                 back(server, 0.95),        back(qemu, 0.95)],
    ["to a random instant, p50",      time(quantile(ours.seeks, 0.5)),  "–",                       "–"],
    ["to a random instant, p95",      time(quantile(ours.seeks, 0.95)), "–",                       "–"],
    ["watchpoint, 800 M steps back",  watch(ours),                      watch(server),             watch(qemu)],
    ["memory, at most",               megabytes(ours.memory),           megabytes(server?.memory), megabytes(qemu?.memory)],
    ["to 9/10 of the run, cold",      time(ours.open + ours.cold),      "–",                       "–"],
    ["going through it once",         time(ours.cold + ours.warmUp),    "–",                       "–"],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const padded = (cell: string, at: number) =>
    at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!);
  return rows.map((row) => row.map(padded).join("  "));
}

function hasQemu(): boolean {
  try {
    return new Deno.Command("qemu-system-aarch64", { args: ["--version"], stdout: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}

async function run({ folder, isAll, tell, check }: RowContext): Promise<void> {
  const travelled = await recordRun(folder, SEED);
  const ours = await measureOurs(travelled);
  check(
    "the state at random instants, gone to and fro, is a replay's",
    ours.differing.length === 0,
    ours.differing.join(),
  );
  check("the write found going back is the last one", ours.missed.length === 0, ours.missed.join());
  check("there are writes 800 M steps back", ours.watches.length > 0);
  const addresses = ours.watches.slice(0, isAll ? ALL_WATCHES : QUICK_WATCHES).map(({ address }) => address);
  const server = await measureOurServer(travelled, addresses);
  check("our server went back by gdb's protocol", server.watches.length === addresses.length);
  const qemu = hasQemu() ? await measureQemu(travelled, addresses) : undefined;
  tell(`${travelled.steps.toLocaleString("en")} steps, seed ${SEED}, ${ours.checkpoints} checkpoints`);
  for (const line of table(ours, server, qemu)) tell(line);
}

/** Times are told, not judged; what fails is a state or a write that is not the replay's. */
export const reverse: Row = {
  name: "reverse",
  question: "how long does it take to step back, and to a write 800 million steps back, in a boot of Linux?",
  isQuick: true,
  run,
};
