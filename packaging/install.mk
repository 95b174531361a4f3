# make install and make uninstall. Included by the Makefile, which has the programs' rules and
# the defaults of PREFIX (/usr/local), SYSCONFDIR (/etc) and RUNDIR (/run).
#
#   make install PREFIX=/usr                      as root
#   make install DESTDIR=/tmp/root PREFIX=/usr    for a package; as any user
#
# SYSCONFDIR and RUNDIR are compiled in: what depends on them is compiled again when they change.
# The files in man/ and packaging/ are written for the defaults and adapted here. An existing
# dictd.cf is never touched: where the new one differs, it becomes dictd.cf.new beside it.

SBINDIR ?= $(PREFIX)/sbin
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
DOCDIR  ?= $(PREFIX)/share/doc/postfix-dictd
# Empty: no systemd unit. systemd reads units below /usr/local, too.
SYSTEMD_DIR ?= $(if $(filter Linux,$(shell uname -s)),$(PREFIX)/lib)

CONFIG   := $(SYSCONFDIR)/postfix-dictd
MANPAGES := postfix-dictd.8 dictctl.1 dictd.cf.5 dictd-pgsql.5 dictd-ldap.5
EXAMPLES := packaging/postfix-dictd.socket packaging/try-sender.py
# Installed under the same names below DOCDIR.
SCHEMAS  := $(sort $(shell find ldap-schema -type f))
# Below DOCDIR as they are here.
SQL_FILES := $(wildcard sql/*.md sql/*.cf sql/migrations/* sql/examples/*)

ADAPT = sed -e 's,/etc/postfix-dictd,$(CONFIG),g' -e 's,/run/postfix-dictd,$(RUNDIR)/postfix-dictd,g' \
            -e 's,/usr/local/sbin/,$(SBINDIR)/,g' -e 's,/usr/local/bin/,$(BINDIR)/,g' \
            -e 's,/usr/local/share/doc/postfix-dictd,$(DOCDIR),g'

# adapt SOURCE, DESTINATION, MODE: installs one adapted text file.
define adapt
$(Q)mkdir -p '$(DESTDIR)$(dir $2)'
$(if $(V),,@echo "  INST  $(DESTDIR)$2")
$(Q)$(ADAPT) $1 >'$(BUILD)/install.tmp'
$(Q)$(INSTALL) -m $3 '$(BUILD)/install.tmp' '$(DESTDIR)$2'
$(Q)rm -f '$(BUILD)/install.tmp'

endef

# deepest_first FILES: the folders that they are in, and those that these are in.
deepest_first = $(shell printf '%s\n' $1 | while read -r f; do \
    while f=$$(dirname "$$f"); [ "$$f" != . ]; do echo "$$f"; done; done | sort -ru)

# program NAME, DIRECTORY
define program
$(Q)mkdir -p '$(DESTDIR)$2'
$(if $(V),,@echo "  INST  $(DESTDIR)$2/$1")
$(Q)$(INSTALL) -m 755 $(BUILD)/$1 '$(DESTDIR)$2/$1'

endef

# --- what has SYSCONFDIR, RUNDIR or VERSION compiled in ---

PATHS_SRC := $(shell grep -l -w -e SYSCONFDIR -e RUNDIR -e VERSION \
               $(LIB_SRC) $(MAINS) $(CTL_SRC) $(UNIT_SRC) 2>/dev/null)

$(PATHS_SRC:%.c=$(BUILD)/obj/%.o): $(BUILD)/paths

# Written only when its contents change.
$(BUILD)/paths: always
	@mkdir -p $(@D)
	@echo '$(SYSCONFDIR) $(RUNDIR) $(VERSION)' >$@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

# --- install ---

install: all
	$(call program,postfix-dictd,$(SBINDIR))
	$(call program,dictctl,$(BINDIR))
	$(foreach page,$(MANPAGES),$(call adapt,man/$(page),$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page),644))
	$(foreach file,README.md INSTALL $(EXAMPLES),$(call adapt,$(file),$(DOCDIR)/$(notdir $(file)),644))
	$(foreach file,$(SCHEMAS),$(call adapt,$(file),$(DOCDIR)/$(file),644))
	$(foreach file,$(SQL_FILES),$(call adapt,$(file),$(DOCDIR)/$(file),644))
	$(if $(SYSTEMD_DIR),$(call adapt,packaging/postfix-dictd.service,$(SYSTEMD_DIR)/systemd/system/postfix-dictd.service,644))
	$(if $(SYSTEMD_DIR),$(call adapt,packaging/postfix-dictd.sysusers,$(SYSTEMD_DIR)/sysusers.d/postfix-dictd.conf,644))
	$(Q)mkdir -p '$(DESTDIR)$(CONFIG)'
	$(Q)$(ADAPT) packaging/dictd.cf >'$(BUILD)/install.tmp'
	$(Q)to='$(DESTDIR)$(CONFIG)/dictd.cf'; \
	if [ ! -e "$$to" ] && [ ! -h "$$to" ]; then \
	    $(if $(V),,echo "  INST  $$to";) $(INSTALL) -m 644 '$(BUILD)/install.tmp' "$$to"; \
	elif cmp -s '$(BUILD)/install.tmp' "$$to"; then \
	    rm -f "$$to.new"; \
	else \
	    $(INSTALL) -m 644 '$(BUILD)/install.tmp' "$$to.new" && \
	    echo "$$to stays as it is; the one of this version is $$to.new"; \
	fi
	$(Q)rm -f '$(BUILD)/install.tmp'

# Everything but the configuration.
uninstall:
	rm -f '$(DESTDIR)$(SBINDIR)/postfix-dictd' '$(DESTDIR)$(BINDIR)/dictctl' \
	    $(foreach page,$(MANPAGES),'$(DESTDIR)$(MANDIR)/man$(subst .,,$(suffix $(page)))/$(page)')
	rm -f $(foreach file,README.md INSTALL $(EXAMPLES),'$(DESTDIR)$(DOCDIR)/$(notdir $(file))') \
	    $(foreach file,$(SCHEMAS),'$(DESTDIR)$(DOCDIR)/$(file)')
	-@rmdir $(foreach dir,$(call deepest_first,$(SCHEMAS)),'$(DESTDIR)$(DOCDIR)/$(dir)') 2>/dev/null || true
	$(if $(SYSTEMD_DIR),rm -f '$(DESTDIR)$(SYSTEMD_DIR)/systemd/system/postfix-dictd.service' \
	    '$(DESTDIR)$(SYSTEMD_DIR)/sysusers.d/postfix-dictd.conf')
	rm -f $(foreach file,$(SQL_FILES),'$(DESTDIR)$(DOCDIR)/$(file)')
	-for dir in $(sort $(foreach file,$(SQL_FILES),$(dir $(file))) sql); do \
	    echo "$$dir"; done | sort -r | while read -r dir; do \
	    [ ! -d '$(DESTDIR)$(DOCDIR)'/"$$dir" ] || rmdir '$(DESTDIR)$(DOCDIR)'/"$$dir"; done
	-[ ! -d '$(DESTDIR)$(DOCDIR)' ] || rmdir '$(DESTDIR)$(DOCDIR)'
	@[ ! -d '$(DESTDIR)$(CONFIG)' ] || echo "left alone: $(DESTDIR)$(CONFIG)"

always:

.PHONY: install uninstall always
