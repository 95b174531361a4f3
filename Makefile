# postfix-dictd
#
#   make            build/postfix-dictd and build/dictctl
#   make run        installs what is missing, builds, serves this host's own users
#   make check      installs what the tests need and runs all of them
#   make bench      builds and runs the benchmarks
#   make layers     fails on an #include that goes upward or in a circle
#   make asan tsan  the whole suite under the sanitizers
#   make fuzz       the fuzz targets, FUZZ_SECONDS each (needs clang)
#   make install    DESTDIR, PREFIX, SYSCONFDIR, RUNDIR
#
# Set on the command line: CC, CFLAGS, BUILD, WERROR=1, V=1 (show whole commands).

VERSION    := 0.1.0
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
RUNDIR     ?= /run
BUILD      ?= build
CC         ?= cc
CFLAGS     ?= -O2 -g
INSTALL    ?= install
FUZZ_SECONDS ?= 20

Q := $(if $(V),,@)

PACKAGES := libevent_core libevent_extra jansson libidn2 libpq ldap lber libsasl2
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wcast-qual -Wwrite-strings $(if $(WERROR),-Werror)
# 200809L with the BSD names (flock, initgroups, u_int) that every system here has.
CPPFLAGS_ALL := -I. -D_DEFAULT_SOURCE -D_POSIX_C_SOURCE=200809L -DVERSION='"$(VERSION)"' \
                -DSYSCONFDIR='"$(SYSCONFDIR)"' -DRUNDIR='"$(RUNDIR)"' $(CPPFLAGS)
CFLAGS_ALL   := -std=c11 $(WARNINGS) -pthread $(CFLAGS) $(SANITIZE) \
                $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
LDFLAGS_ALL  := -pthread $(LDFLAGS) $(SANITIZE)
LIBS         := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lunistring -lm

# An object's headers, under the name that it has however BUILD is spelt: else an object that was
# made with an absolute path would be old, and not known to be, for a relative one.
NAME_HEADERS = -MMD -MP -MT '$$(BUILD)$(@:$(BUILD)%=%)'

MAINS    := dictd/server/main.c
LIB_SRC  := $(filter-out $(MAINS),$(wildcard dictd/base/*.c dictd/loop/*.c dictd/protocol/*.c \
              dictd/lookup/*.c dictd/server/*.c sources/*/*.c))
CTL_SRC  := $(wildcard dictd/dictctl/*.c dictd/dictctl/*/*.c)
SQL      := $(wildcard sql/migrations/[0-9]*.sql)
LIB_OBJ  := $(LIB_SRC:%.c=$(BUILD)/obj/%.o)
MAIN_OBJ := $(MAINS:%.c=$(BUILD)/obj/%.o)
CTL_OBJ  := $(CTL_SRC:%.c=$(BUILD)/obj/%.o) $(BUILD)/gen/sql_migrations.o
LIB      := $(BUILD)/libdictd.a

UNIT_SRC    := $(wildcard tests/unit/test_*.c)
UNIT_BIN    := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/unit/%)
UNIT_SHARED := $(filter-out $(UNIT_SRC),$(wildcard tests/unit/*.c))
UNIT_LIB    := $(if $(UNIT_SHARED),$(BUILD)/libunit.a)
FAKE_SRC    := $(wildcard tests/fake/*.c)
FAKED_BIN   := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%, \
                 $(shell grep -l '"tests/fake/' $(UNIT_SRC)))
REPLAY_SRC  := $(wildcard tests/replay/*.c) tests/fake/fake_loop.c
REPLAY_BIN  := $(if $(REPLAY_SRC),$(BUILD)/tests/replay/replay)
FUZZ_SRC    := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_BIN    := $(FUZZ_SRC:tests/fuzz/%.c=$(BUILD)/fuzz/%)

all: $(BUILD)/postfix-dictd $(BUILD)/dictctl

$(BUILD)/postfix-dictd: $(MAIN_OBJ) $(LIB)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(MAIN_OBJ) $(LIB) $(LIBS)

$(BUILD)/dictctl: $(CTL_OBJ) $(LIB)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(CTL_OBJ) $(LIB) $(LIBS)

$(LIB): $(LIB_OBJ)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(NAME_HEADERS) -c -o $@ $<

# The migrations travel inside dictctl: one that is installed alone has those of its version.
$(BUILD)/gen/sql_migrations.c: packaging/embed.awk $(SQL)
	@mkdir -p $(@D)
	$(Q)awk -f packaging/embed.awk $(SQL) >$@.new && mv -f $@.new $@

$(BUILD)/gen/sql_migrations.o: $(BUILD)/gen/sql_migrations.c dictd/dictctl/sql/sql_migrations.h
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# --- tests ---

# What several unit tests need: each has of it what it names.
$(BUILD)/libunit.a: $(UNIT_SHARED:%.c=$(BUILD)/obj/%.o)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

# Linked as objects, so that they stand in the place of what the library has of the same names.
$(FAKED_BIN): FAKES := $(FAKE_SRC:%.c=$(BUILD)/obj/%.o)
$(FAKED_BIN): $(FAKE_SRC:%.c=$(BUILD)/obj/%.o)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(UNIT_LIB) $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $< $(FAKES) $(UNIT_LIB) $(LIB) $(LIBS) -lcunit

$(BUILD)/tests/replay/replay: $(REPLAY_SRC:%.c=$(BUILD)/obj/%.o) $(LIB)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $(REPLAY_SRC:%.c=$(BUILD)/obj/%.o) $(LIB) $(LIBS)

tests: all $(UNIT_BIN) $(REPLAY_BIN)

FUZZ_CC  := clang $(CPPFLAGS_ALL) -std=c11 -g -O1 -pthread \
            $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
FUZZ_OBJ := $(LIB_SRC:%.c=$(BUILD)/fuzz/obj/%.o)

$(BUILD)/fuzz/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< (fuzz)")
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer-no-link,address,undefined $(NAME_HEADERS) -c -o $@ $<

$(BUILD)/fuzz/%: tests/fuzz/%.c $(wildcard tests/fuzz/*.h) $(FUZZ_OBJ)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $< $(FUZZ_OBJ) $(LIBS)

layers:
	@tests/layers.sh

check:
	@tests/install-deps.sh check
	@$(MAKE) --no-print-directory check-installed

check-installed:
	@$(MAKE) --no-print-directory -j2 all tests
	@BUILD=$(BUILD) tests/check.sh

run:
	@tests/install-deps.sh build
	@$(MAKE) --no-print-directory all
	@exec $(BUILD)/postfix-dictd

asan:
	@$(MAKE) --no-print-directory check BUILD=build/asan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
	    SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=undefined -Wno-format-truncation"

tsan:
	@$(MAKE) --no-print-directory check BUILD=build/tsan CFLAGS="-O1 -g -fno-omit-frame-pointer" \
	    SANITIZE="-fsanitize=thread"

bench: all
	@tests/bench/run.sh $(BUILD)

fuzz: $(FUZZ_BIN)
	@for f in $(FUZZ_BIN); do echo "== $$f"; \
	    mkdir -p $(BUILD)/fuzz/corpus-$$(basename $$f) && \
	    $$f -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=1 \
	        $(BUILD)/fuzz/corpus-$$(basename $$f) || exit 1; done

clean:
	rm -rf build

include packaging/install.mk

.PHONY: all tests layers check check-installed run asan tsan bench fuzz clean
.SECONDARY:

-include $(LIB_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(MAIN_OBJ:.o=.d) $(CTL_OBJ:.o=.d) \
         $(patsubst %.c,$(BUILD)/obj/%.d,$(UNIT_SRC) $(UNIT_SHARED) $(FAKE_SRC) $(REPLAY_SRC))
