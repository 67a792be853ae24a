# SPDX-License-Identifier: GPL-2.0
# synward. `make help` tells the targets; V=1 shows the commands.

CLANG ?= clang
BPFTOOL ?= $(shell PATH=$$PATH:/usr/sbin:/sbin command -v bpftool || echo bpftool)
PKG_CONFIG ?= pkg-config
VMLINUX_H ?= vmlinux.h
PREFIX ?= /usr/local
DESTDIR ?=
TUI ?= 1
HTTP ?= 1
B := build

V ?= 0
ifeq ($(V),0)
Q := @
msg = @printf '  %-8s %s\n' '$(1)' '$(2)';
else
msg =
endif

WARN := -Wall -Wextra
LIBS := libbpf libmnl json-c libpcap libconfuse $(if $(TUI:0=),ncursesw) $(if $(HTTP:0=),libmicrohttpd)
CFLAGS ?= -O2 -g
# The core reads keys as words of 8 bytes, as the kernel would: -fno-strict-aliasing.
ALL_CFLAGS = -std=gnu11 -fno-strict-aliasing $(WARN) -I$(B) $(shell $(PKG_CONFIG) --cflags $(LIBS)) $(CFLAGS)
LDLIBS = $(shell $(PKG_CONFIG) --libs $(LIBS)) -lelf -lz -pthread
# -mcpu=v3: 32-bit jumps and compare-and-swap, Linux 5.12.
BPF_CFLAGS = -g -O2 -fno-strict-aliasing -target bpf -mcpu=v3 $(WARN) -include $(VMLINUX_H) -I. -Ibpf \
	     $(shell $(PKG_CONFIG) --cflags libbpf)

# What TUI=0 and HTTP=0 leave out has a stand-in.
TOP := $(filter-out user/top/none.c,$(wildcard user/top/*.c))
WEB := $(filter-out user/web/none.c,$(wildcard user/web/*.c))
SRC := $(wildcard user/*.c) $(if $(TUI:0=),$(TOP),user/top/none.c) $(if $(HTTP:0=),$(WEB),user/web/none.c)
OBJ := $(SRC:user/%.c=$(B)/user/%.o)

.DELETE_ON_ERROR:
.PHONY: all test demo deps install uninstall clean help vmlinux FORCE
all: $(B)/synward

# Links again when another choice is made.
CHOICES := TUI=$(TUI) HTTP=$(HTTP)
$(B)/choices: FORCE
	$(Q)mkdir -p $(@D) && echo "$(CHOICES)" | cmp -s - $@ || echo "$(CHOICES)" > $@

$(B)/synward: $(OBJ) $(B)/choices
	$(call msg,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $(OBJ) -o $@ $(LDLIBS)

$(B)/user/%.o: user/%.c | $(B)/synward.skel.h
	$(call msg,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(B)/synward.bpf.o: bpf/synward.bpf.c $(VMLINUX_H)
	$(call msg,BPF,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(B)/synward.bpf.d -c $< -o $@

$(B)/synward.skel.h: $(B)/synward.bpf.o
	$(call msg,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name synward_bpf > $@

# One file, so that the page needs no other.
$(B)/page.html: user/page/page.html user/page/page.css user/page/page.js
	$(call msg,PAGE,$@)
	$(Q)mkdir -p $(@D) && sed -e '/<!-- page.css -->/{r user/page/page.css' -e 'd;}' \
		-e '/<!-- page.js -->/{r user/page/page.js' -e 'd;}' user/page/page.html > $@

$(B)/user/web/http.o: $(B)/page.html

-include $(OBJ:.o=.d) $(B)/synward.bpf.d

-include tests/unit/Makefile.inc
-include tests/fuzz/Makefile.inc
-include tests/bench/Makefile.inc

deps: ## install what building and testing need (asks on a terminal)
	$(Q)tests/deps.sh

# What needs packages runs in a second make: the first may be here before pkg-config is.
demo: deps ## the main job in two private namespaces, live on a terminal
	$(Q)$(MAKE) --no-print-directory all $(B)/tests/flood
	$(Q)tests/demo.py

test: deps ## every test; as root
	$(Q)tests/deps.sh --large || true
	$(Q)tests/run.sh

install: all ## into $(DESTDIR)$(PREFIX)
	install -D -m 755 $(B)/synward $(DESTDIR)$(PREFIX)/sbin/synward
	install -D -m 644 user/man/synward.8 $(DESTDIR)$(PREFIX)/share/man/man8/synward.8
	install -D -m 644 user/man/synward.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/synward.conf.5
	install -D -m 644 user/completion/synward.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/synward
	install -D -m 644 user/completion/_synward $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_synward
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|/usr/local/|$(PREFIX)/|' user/dist/synward.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/synward.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/synward user/dist/synward.conf user/dist/synward-alerts.yml \
		user/dist/synward-dashboard.json

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(PREFIX)/sbin/synward $(DESTDIR)$(PREFIX)/share/man/man8/synward.8 \
	      $(DESTDIR)$(PREFIX)/share/bash-completion/completions/synward \
	      $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_synward \
	      $(DESTDIR)$(PREFIX)/share/man/man5/synward.conf.5 $(DESTDIR)$(PREFIX)/lib/systemd/system/synward.service
	rm -rf $(DESTDIR)$(PREFIX)/share/synward

vmlinux: ## make vmlinux.h again, from the running kernel
	$(Q)mkdir -p $(B) && $(BPFTOOL) btf dump file /sys/kernel/btf/vmlinux format c > $(B)/vmlinux.full.h
	$(Q)bpf/slim-vmlinux.py < $(B)/vmlinux.full.h > $(B)/vmlinux.h.new && mv $(B)/vmlinux.h.new vmlinux.h

clean: ## remove build/
	$(Q)rm -rf $(B)

help: ## this text
	@echo 'make              build $(B)/synward'
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile tests/unit/Makefile.inc tests/fuzz/Makefile.inc tests/bench/Makefile.inc | while IFS='|' read -r t h; do printf 'make %-12s %s\n' "$$t" "$$h"; done
	@echo 'TUI=0 leaves out ncurses, and with it the screen of synward top;'
	@echo 'HTTP=0 libmicrohttpd, and with it the page and the metrics of synward run'
	@echo 'V=1 shows the commands; PREFIX= DESTDIR= CLANG= BPFTOOL= VMLINUX_H= as usual'
