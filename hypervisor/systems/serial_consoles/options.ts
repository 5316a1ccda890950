/** How `--monitor el2:serial-consoles,…` is written. */
import { z } from "zod";
import { MOST_COLUMNS, MOST_ROWS } from "../../terminal/grid.ts";
import { MOST_BACKLOG } from "./guest_uart.ts";

/** The consoles that share the line, in the order of their keys. */
export const CONSOLES = ["log", "shell", "status", "gdb"] as const;
/** One of them. */
export type ConsoleName = (typeof CONSOLES)[number];
/** The keys behind Ctrl-G Ctrl-B, as on ESXi. */
export const CONSOLE_KEYS: Readonly<Record<ConsoleName, string>> = {
  log: "1",
  shell: "2",
  status: "3",
  gdb: "?",
};

/** What characters the line's terminal can show. */
export const ENCODINGS = ["utf-8", "ascii"] as const;
/** One of them. */
export type Encoding = (typeof ENCODINGS)[number];

/** The system as it is set up. */
export interface SerialConsolesOptions {
  /** What is shown first. */
  readonly start: ConsoleName;
  /** Columns and rows. */
  readonly size: { readonly columns: number; readonly rows: number };
  /** Characters for the line. */
  readonly encoding: Encoding;
  /** What guests write from 0x80 on. */
  readonly charset: "utf-8" | "cp437";
  /** Milliseconds of virtual time after which the beginning of an escape sequence goes through. */
  readonly timeout: number;
  /** Milliseconds of virtual time between two pictures of the status screen. */
  readonly refresh: number;
  /** Bytes that wait behind a guest's receive FIFO. */
  readonly backlog: number;
  /** The terminal is asked what it is when the line comes up. */
  readonly identify: boolean;
}

function whole(least: number, most: number, otherwise: number) {
  return z.string().transform((text, context) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    if (value >= least && value <= most) return value;
    context.addIssue({ code: "custom", message: `"${text}" is no whole number from ${least} to ${most}` });
    return z.NEVER;
  }).default(otherwise);
}

/** `100x30`; undefined for what is no size, or is too small or large. */
export function parseSize(text: string): { columns: number; rows: number } | undefined {
  const [, columns, rows] = (/^(\d{1,3})x(\d{1,3})$/.exec(text) ?? []).map(Number);
  if (columns === undefined || rows === undefined) return undefined;
  const fits = columns >= 20 && rows >= 5 && columns <= MOST_COLUMNS && rows <= MOST_ROWS;
  return fits ? { columns, rows } : undefined;
}

/** What a size can be, for messages. */
export const SIZES: string = `20x5 to ${MOST_COLUMNS}x${MOST_ROWS}`;

/** Options by name, as texts. */
export const serialConsolesOptions: z.ZodType<SerialConsolesOptions> = z.strictObject({
  start: z.enum(CONSOLES).default("shell"),
  size: z.string().transform((text, context) => {
    const size = parseSize(text);
    if (size !== undefined) return size;
    context.addIssue({ code: "custom", message: `"${text}" is no size from ${SIZES}` });
    return z.NEVER;
  }).default({ columns: 80, rows: 25 }),
  encoding: z.enum(ENCODINGS).default("utf-8"),
  charset: z.enum(["utf-8", "cp437"]).default("utf-8"),
  timeout: whole(1, 60_000, 1000),
  refresh: whole(10, 3_600_000, 1000),
  backlog: whole(0, MOST_BACKLOG, 65536),
  identify: z.enum(["on", "off"]).default("off").transform((text) => text === "on"),
}) as z.ZodType<SerialConsolesOptions>;
