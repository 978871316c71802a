# retort: one Makefile, no configure.  `make help` lists the targets.
#
# Objects, tests and reports are under $(BUILD); the program is ./retort.  Every .c of the five folders is in the
# library; distill/main.c alone makes it a program.  No -march=native: kernels for AVX2 and AVX-512 are the same source
# (nn/kernels.c) compiled once for each instruction set and chosen at run time.

BUILD   ?= build
PROGRAM ?= retort
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
DESTDIR ?=

CC       ?= cc
OBJCOPY  ?= objcopy
OPTIMISE ?= -O3
WARNINGS  = -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion \
            $(if $(findstring clang,$(CC)),-Wno-pass-failed) # a loop not vectorised is no mistake
PACKAGES  = libarchive zlib yaml-0.1 jansson libutf8proc lapacke libxxhash
CFLAGS   ?= -g
VERSION  := 0.1.0
PACKAGE_CFLAGS := $(shell pkg-config --cflags $(PACKAGES))
PACKAGE_LIBS   := $(shell pkg-config --libs $(PACKAGES))
RETORT_CFLAGS = -std=c17 $(OPTIMISE) $(WARNINGS) -fopenmp-simd -pthread -MMD -MP -I. -fPIC -fvisibility=hidden \
                -DRETORT_VERSION='"$(VERSION)"' $(PACKAGE_CFLAGS) $(SANITIZE) $(CFLAGS)
LIBS = -ldnnl -lgomp $(PACKAGE_LIBS) -lm -pthread

FOLDERS  = data nn teacher student distill
SOURCES := $(filter-out distill/main.c,$(wildcard $(FOLDERS:=/*.c)))
# What is compiled once for each instruction set: see nn/kernels_best.c.
SETS     = avx2 avx512 avx512_bf16 amx
KERNELS  = $(foreach set,$(SETS),$(patsubst %.c,$(BUILD)/%_$(set).o,$(wildcard nn/kernels.c nn/kernels_int8.c nn/dots.c)))
OBJECTS  = $(SOURCES:%.c=$(BUILD)/%.o) $(KERNELS)
LIBRARY  = $(BUILD)/libretort.a
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/*/test_*.c))
BENCH    = $(BUILD)/tests/bench/bench
BENCH_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/*.c))
PEERS    = $(BUILD)/tests/peers/peers
FUZZERS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
# The harnesses that have seeds, with a driver of their own in place of the fuzzing engine: a test.
REPLAYS := $(patsubst tests/fuzz/seeds/%,$(BUILD)/tests/fuzz/replay_%,$(wildcard tests/fuzz/seeds/*))
TESTS   += $(REPLAYS)
FUZZ_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuzz/support.c tests/fuzz/replay.c))
SUPPORT  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/*.c))
SCRIPTS := $(wildcard tests/*/test_*.sh)

## all           the program, ./retort (the default)
all: $(PROGRAM)

## help          this list
help:
	@sed -n 's/^## /  make /p' Makefile
	@echo '  variables: BUILD=$(BUILD) PROGRAM=$(PROGRAM) CC=$(CC) OPTIMISE=$(OPTIMISE) CFLAGS PREFIX DESTDIR'

$(PROGRAM): $(BUILD)/distill/main.o $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIBRARY): $(OBJECTS)
	rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(RETORT_CFLAGS) -c -o $@ $<

AVX2   = -mavx2 -mfma -mpopcnt
AVX512 = $(AVX2) -mavx512f -mavx512bw -mavx512dq -mavx512vl -mprefer-vector-width=512
AVX512_BF16 = $(AVX512) -mavx512bf16 -mavx512vnni -mavx512vpopcntdq
AMX    = $(AVX512_BF16) -mamx-tile -mamx-bf16 -mamx-int8
$(BUILD)/nn/%_avx2.o: SET = -DNAME='"avx2"' $(AVX2)
$(BUILD)/nn/%_avx512.o: SET = -DNAME='"avx512"' $(AVX512)
$(BUILD)/nn/%_avx512_bf16.o: SET = -DNAME='"avx512_bf16"' $(AVX512_BF16)
$(BUILD)/nn/%_amx.o: SET = -DNAME='"amx"' $(AMX)
define FOR_A_SET
	@mkdir -p $(@D)
	$(CC) $(RETORT_CFLAGS) $(SET) -ffp-contract=fast -fno-trapping-math -DTABLE=$(@F:.o=) -c -o $@ $<
endef
$(BUILD)/nn/%_avx2.o: nn/%.c Makefile
	$(FOR_A_SET)
$(BUILD)/nn/%_avx512.o: nn/%.c Makefile
	$(FOR_A_SET)
$(BUILD)/nn/%_avx512_bf16.o: nn/%.c Makefile
	$(FOR_A_SET)
$(BUILD)/nn/%_amx.o: nn/%.c Makefile
	$(FOR_A_SET)

# ---- what others link: student/retort.c and what it needs of the rest, no symbol seen but those of retort.h ----

SHARED  = $(BUILD)/lib/libretort.so.$(VERSION)
SONAME  = libretort.so.$(firstword $(subst ., ,$(VERSION)))
LIBRARY_PACKAGES = jansson libutf8proc # the others serve the program alone
LIBRARY_OTHERS   = -ldnnl -lgomp -lm -pthread

$(SHARED): $(BUILD)/student/retort.o $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) -shared $(SANITIZE) $(LDFLAGS) -Wl,-soname,$(SONAME) -Wl,--no-undefined -o $@ $^ \
	    $(LIBRARY_OTHERS) $(shell pkg-config --libs $(LIBRARY_PACKAGES))

shared-library: $(SHARED)

$(BUILD)/lib/libretort.a: $(BUILD)/student/retort.o $(LIBRARY)
	@mkdir -p $(@D)
	$(LD) -r -o $(BUILD)/lib/retort.o $^
	$(OBJCOPY) --localize-hidden $(BUILD)/lib/retort.o
	rm -f $@
	$(AR) rcs $@ $(BUILD)/lib/retort.o

define PKG_CONFIG_FILE
prefix=$(PREFIX)
libdir=$(LIBDIR)
includedir=$(PREFIX)/include

Name: retort
Description: Embeds text with slim dual encoders, and searches
Version: $(VERSION)
Requires.private: $(LIBRARY_PACKAGES)
Libs: -L$${libdir} -lretort
Libs.private: $(LIBRARY_OTHERS)
Cflags: -I$${includedir}
endef

# ---- tests: one program a file, Check; tests/*.c is what they share ----

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(SUPPORT) $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS) $(shell pkg-config --libs check)

# What this test may refuse.
NO_MEMORY_WRAPS = malloc calloc realloc aligned_alloc free fopen mmap pthread_create \
    $(addprefix dnnl_,engine_create stream_create memory_create primitive_attr_create primitive_desc_create \
    reorder_primitive_desc_create primitive_create primitive_execute)
$(BUILD)/tests/student/test_no_memory: LDFLAGS += $(NO_MEMORY_WRAPS:%=-Wl,--wrap=%)

## build-tests   the test programs and the bench, not run
build-tests: $(TESTS) $(BENCH) $(PEERS) $(PROGRAM)

# Everything compiled, nothing linked: what lint asks of each compiler.
objects: $(OBJECTS) $(SUPPORT) $(BUILD)/distill/main.o \
    $(addsuffix .o,$(filter-out $(REPLAYS),$(TESTS)) $(FUZZERS)) $(FUZZ_PARTS) $(BENCH_PARTS) \
    $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/peers/*.c))

## test          every test program and every tests/*/test_*.sh; fails if any fails
test: build-tests
	@RETORT=./$(PROGRAM) BENCH=$(BENCH) PEERS=$(PEERS) sh tests/run.sh $(TESTS) $(SCRIPTS)

## asan          the same, less what is too slow there, with Address- and UndefinedBehaviorSanitizer
asan:
	@$(MAKE) BUILD=build-asan PROGRAM=build-asan/retort OPTIMISE=-O1 \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer' build-tests
	@CK_FORK=no RETORT_SKIP_SLOW=1 RETORT=build-asan/retort PEERS=$(PEERS:$(BUILD)/%=build-asan/%) \
	    sh tests/run.sh $(TESTS:$(BUILD)/%=build-asan/%) $(SCRIPTS)

VALGRIND = valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite \
    --show-leak-kinds=definite --suppressions=tests/valgrind.supp
## valgrind      the test programs under valgrind's memcheck, without the tests that are too slow there
valgrind: build-tests
	@CK_FORK=no RETORT_SKIP_SLOW=1 RETORT=./$(PROGRAM) RUN_WITH='$(VALGRIND)' sh tests/run.sh $(TESTS)

## coverage      lines that the tests reach, in percent (gcovr); fails below 85; build-coverage/coverage.txt
coverage:
	@$(MAKE) BUILD=build-coverage PROGRAM=build-coverage/retort OPTIMISE=-O1 SANITIZE=--coverage build-tests
	@find build-coverage -name '*.gcda' -delete
	@CK_TIMEOUT_MULTIPLIER=4 RETORT=build-coverage/retort BENCH=$(BENCH:$(BUILD)/%=build-coverage/%) \
	    PEERS=$(PEERS:$(BUILD)/%=build-coverage/%) \
	    sh tests/run.sh $(TESTS:$(BUILD)/%=build-coverage/%) $(SCRIPTS); \
	tests=$$?; \
	gcovr --root . $(FOLDERS:%=--filter %/) --exclude-unreachable-branches --fail-under-line 85 \
	    --txt build-coverage/coverage.txt build-coverage; \
	lines=$$?; cat build-coverage/coverage.txt; [ $$tests -eq 0 ] && [ $$lines -eq 0 ]

# The functions around which it takes the time (tests/bench/phases.c).
BENCH_WRAPS = dnn_linear_forward_share attention_forward sequences_encode kernels_best int8_kernels_best
$(BENCH): $(BENCH_PARTS) $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) $(BENCH_WRAPS:%=-Wl,--wrap=%) -o $@ $^ $(LIBS)

## bench         speed of every kind of work against the processor's peak; table in build/bench.tsv
bench: $(BENCH)
	@$(BENCH) $(BUILD)/bench.tsv

## growth        how times grow with length, batch, threads and documents; table in build/growth.tsv
growth: $(BENCH)
	@$(BENCH) growth $(BUILD)/growth.tsv

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/%.o $(BUILD)/tests/fuzz/support.o $(LIBRARY)
	$(CC) -fsanitize=fuzzer $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)
$(BUILD)/tests/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_PARTS) $(LIBRARY)
	$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)
fuzzers: $(FUZZERS)

## fuzz          every tests/fuzz/fuzz_*.c for FUZZ_SECONDS (60) each, with clang, in build-fuzz
FUZZ_SECONDS ?= 60
fuzz:
	@$(MAKE) BUILD=build-fuzz CC=clang OPTIMISE=-O1 \
	    SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' fuzzers
	@for fuzzer in $(FUZZERS:$(BUILD)/%=build-fuzz/%); do \
	    echo "== $$fuzzer"; mkdir -p $$fuzzer.corpus; \
	    seeds=tests/fuzz/seeds/$${fuzzer##*/fuzz_}; [ -d $$seeds ] || seeds=; \
	    $$fuzzer -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=$$fuzzer. $$fuzzer.corpus $$seeds || exit 1; done

## experiments   the rows of configs/experiments that docs/results lacks, then docs/results.md: about ten hours for all
experiments: $(PROGRAM)
	@python3 scripts/experiments.py && python3 scripts/results.py && sh scripts/readme.sh

## lint          warnings of gcc and clang, format, arrows between folders, budgets: scripts/lint.sh
lint:
	@sh scripts/lint.sh

## test-st       compares with Python's sentence-transformers, in a virtual environment: scripts/check_*.py
test-st: $(PROGRAM)
	@sh scripts/test_st.sh

## install       program, library, manual pages, completions to $(DESTDIR)$(PREFIX); after it, as root: ldconfig
install: $(PROGRAM) $(SHARED) $(BUILD)/lib/libretort.a
	install -D -m 755 $(PROGRAM) '$(DESTDIR)$(PREFIX)/bin/retort'
	install -D -m 644 student/retort.h '$(DESTDIR)$(PREFIX)/include/retort.h'
	install -D -m 644 $(BUILD)/lib/libretort.a '$(DESTDIR)$(LIBDIR)/libretort.a'
	install -D -m 644 $(SHARED) '$(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))'
	ln -sf $(notdir $(SHARED)) '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libretort.so'
	install -d '$(DESTDIR)$(LIBDIR)/pkgconfig'
	$(file >$(BUILD)/lib/retort.pc,$(PKG_CONFIG_FILE))
	install -m 644 $(BUILD)/lib/retort.pc '$(DESTDIR)$(LIBDIR)/pkgconfig/retort.pc'
	sh scripts/share.sh $(abspath $(PROGRAM)) '$(DESTDIR)$(PREFIX)/share'

## clean         removes what was built
clean:
	rm -rf build build-* retort

.PHONY: all help shared-library build-tests objects test asan valgrind coverage bench growth fuzzers fuzz experiments lint test-st \
    install clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
