/**
 * A program in pieces, as it goes over the link: canonical state first, then pages of 4 KiB at virtual addresses. Pages
 * stay in the TEE's memory until they are asked for, and are put there as they come.
 */
import { MachineInvariantError } from "../../../../machine/errors.ts";
import { bytes, flag, listOf, u53 } from "../../../../machine/layout.ts";
import { PAGE_SIZE } from "../../../../machine/memory/physical.ts";
import type { TrapMonitor } from "../../../monitor.ts";
import { PORT } from "../keeper.ts";
import { type Piece, STATE_PLACE, type TeeImage } from "../pieces.ts";
import type { Planted } from "./planted.ts";
import { pagesOf, placeOf, type ProgramHeader } from "./program_image.ts";
import { decodeProgram, encodeProgram, type ProgramState } from "./program_state.ts";

/** Virtual nanoseconds that sealing, or opening, a piece takes. */
const PIECE_NANOSECONDS = 2000;
/** Most bytes of a program's state. */
const MOST_STATE = 1 << 14;
const NOTHING = new Uint8Array(0);

/** A TEE's memory, by a program's addresses. */
export interface ProgramMemory {
  /** The page of 4 KiB at an address of a program that stands still. */
  readPage(address: number): Uint8Array;
  /** Makes room for a program that is to come; why there is none, or undefined. */
  makeRoom(header: ProgramHeader): string | undefined;
  /** Puts a page of a program for which there is room. */
  writePage(header: ProgramHeader, address: number, contents: Uint8Array): void;
}

/** Fields of a section. */
export const PIECES_FIELDS = {
  hasRoom: flag,
  state: bytes(MOST_STATE),
  pages: listOf(u53, 1 << 12),
} as const;

/** What a section has of them. */
export interface PiecesState {
  /** Of a program that comes: there is room. */
  readonly hasRoom: boolean;
  /** Of a program that goes: its state; of one that comes: as much as has come. */
  readonly state: Uint8Array;
  /** Addresses of pages that are not zero, of a program that goes. */
  readonly pages: number[];
}

/** A program that goes, or one that comes. */
export class ProgramPieces {
  #state: Uint8Array = NOTHING;
  #hasRoom = false;
  #pages: readonly number[] = [];

  /** Nothing of the monitor is used from here. */
  constructor(
    private readonly monitor: TrapMonitor,
    private readonly planted: Planted | undefined,
    private readonly memory: ProgramMemory,
  ) {}

  /** There is neither. */
  forget(): void {
    this.#state = NOTHING;
    this.#hasRoom = false;
    this.#pages = [];
  }

  // A program that goes.

  /** It stands still in this state. */
  take(state: ProgramState): void {
    this.#state = encodeProgram(state);
    const { header } = decodeProgram(this.#state), { memory } = this;
    this.#pages = [...pagesOf(header)].filter((at) => memory.readPage(at).some((byte) => byte !== 0));
  }

  /** Its pieces. */
  image(): TeeImage {
    const { site } = this.monitor, state = this.#state, pages = this.#pages;
    const parts = Math.ceil(state.length / PAGE_SIZE);
    return {
      count: parts + pages.length,
      piece: (index) => {
        site.clock.charge(PIECE_NANOSECONDS);
        const at = index * PAGE_SIZE;
        if (index < parts) return { place: STATE_PLACE + at, bytes: state.slice(at, at + PAGE_SIZE) };
        const place = pages[index - parts] as number, contents = this.memory.readPage(place);
        if (this.planted === "plain-page") site.transmit(PORT, contents);
        return { place, bytes: contents };
      },
    };
  }

  // A program that comes.

  /** Puts a piece of it where it belongs; why it cannot be, or undefined. */
  put({ place, bytes: contents }: Piece): string | undefined {
    this.monitor.site.clock.charge(PIECE_NANOSECONDS);
    if (place < STATE_PLACE) return this.#putPage(place, contents);
    const at = place - STATE_PLACE;
    if (at !== this.#state.length || at + contents.length > MOST_STATE) return "its state is not in order";
    const state = new Uint8Array(at + contents.length);
    state.set(this.#state);
    state.set(contents, at);
    this.#state = state;
    return undefined;
  }

  #putPage(address: number, contents: Uint8Array): string | undefined {
    try {
      const { header } = decodeProgram(this.#state);
      const refused = this.#hasRoom ? undefined : this.memory.makeRoom(header);
      if (refused !== undefined) return refused;
      this.#hasRoom = true;
      const isPage = address % PAGE_SIZE === 0 && placeOf(header, address, PAGE_SIZE) !== undefined;
      if (!isPage || contents.length !== PAGE_SIZE) return "it has a page where the program has no memory";
      this.memory.writePage(header, address, contents);
      return undefined;
    } catch (error) {
      if (error instanceof MachineInvariantError) throw error;
      return `its state is none: ${(error as Error).message}`.slice(0, 200);
    }
  }

  /** The state that came; undefined for none. Throws RangeError for what is none. */
  get arrived(): ProgramState | undefined {
    return this.#state.length === 0 ? undefined : decodeProgram(this.#state).state;
  }

  /** What a section has. */
  save(): PiecesState {
    return { hasRoom: this.#hasRoom, state: this.#state, pages: [...this.#pages] };
  }

  /** Restores it. */
  restore({ hasRoom, state, pages }: PiecesState): void {
    this.#hasRoom = hasRoom;
    this.#state = state;
    this.#pages = pages;
  }
}
