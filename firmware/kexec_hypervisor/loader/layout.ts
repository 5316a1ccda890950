/** Numbers and memory of the loader: system calls of arm64 Linux, its table of modules, and what is in `.bss`. */

/** Most bytes of a device tree, before and after; and of the kernel's log and a manifest. */
const TREE_MOST = 0x20_0000, TEXT_MOST = 0x10_0000;

/** Equates. */
export const LOADER_EQUATES = `
        .equ    SYS_OPENAT, 56
        .equ    SYS_CLOSE, 57
        .equ    SYS_READ, 63
        .equ    SYS_WRITE, 64
        .equ    SYS_FSTAT, 80
        .equ    SYS_SYNC, 81
        .equ    SYS_EXIT, 93
        .equ    SYS_KEXEC_LOAD, 104
        .equ    SYS_INIT_MODULE, 105
        .equ    SYS_SYSLOG, 116
        .equ    SYS_SCHED_SETAFFINITY, 122
        .equ    SYS_REBOOT, 142
        .equ    SYS_MMAP, 222
        .equ    KEXEC_ARCH_AARCH64, 0xb70000
        .equ    IMAGE_MAGIC, 0x644d5241         // at IMAGE_MAGIC_AT
        .equ    IMAGE_MAGIC_AT, 56
        .equ    IMAGE_TEXT_OFFSET, 8
        .equ    IMAGE_SIZE, 16
        .equ    MEGABYTES_2, 0x200000
        .equ    TREE_MOST, ${TREE_MOST}
        .equ    TEXT_MOST, ${TEXT_MOST}
        // A module: what becomes a segment.
        .equ    M_NAME, 0                       // text
        .equ    M_PATH, 8                       // text; 0 for what is made here
        .equ    M_WANTED, 16                    // address asked for, or 0
        .equ    M_DATA, 24
        .equ    M_SIZE, 32
        .equ    M_ADDRESS, 40                   // physical
        .equ    M_DIGEST, 48                    // 32 bytes
        .equ    M_ARGUMENTS, 80                 // text
        .equ    M_BYTES, 96
`;

/** Memory without contents. */
export const LOADER_MEMORY = `
        .bss
        .balign 16
hypervisor:     .space  M_BYTES
kernel:         .space  M_BYTES
initrd:         .space  M_BYTES
tree:           .space  M_BYTES
info:           .space  M_BYTES
stage:          .space  M_BYTES
host_module:    .space  M_BYTES
cpu_mask:       .space  8
is_esx:         .space  8
is_forced:      .space  8
manifest:       .space  8                       // path, or 0
ram_base:       .space  8
ram_end:        .space  8
next_free:      .space  8
final_place:    .space  8                       // of the hypervisor
final_size:     .space  8
lowest:         .space  8                       // the ELF file's first address
psci_hvc:       .space  8
uart:           .space  8
device_count:   .space  8
devices:        .space  MOST_DEVICES * DEVICE_SIZE
segments:       .space  MOST_SEGMENTS * 32
node_kind:      .space  8
compatible_at:  .space  8
reg_at:         .space  8
path_memory:    .space  4096
stat_memory:    .space  256
        .balign 16
stage_copy:     .space  STAGE_BYTES
        .balign 4096
list_memory:    .space  65536
tree_in:        .space  TREE_MOST
tree_out:       .space  TREE_MOST
text_memory:    .space  TEXT_MOST
`;
