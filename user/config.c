// SPDX-License-Identifier: GPL-2.0
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "fail.h"
#include "listeners.h"
#include "opts.h"

/* libconfuse hands no argument through, and its parser is one per process. */
static struct config *into;
static const char *file;
static bool said; /* the first error is the one to read */

/*
 * Put behind the file: libconfuse takes its end for the end of any section that
 * is open, and half of a file must not pass for a whole one.
 */
#define AFTER "end-of-file"

static void on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	char what[512];

	if (said)
		return;
	said = true;
	vsnprintf(what, sizeof(what), fmt, ap);
	if (strstr(what, AFTER))
		snprintf(what, sizeof(what), "a closing brace is missing before the end");
	sw_err("%s:%d: %s", file, cfg->line, what);
}

/* What sw_err() was told, with the line it is about. */
static int bad(cfg_t *cfg)
{
	char what[512];

	snprintf(what, sizeof(what), "%s", sw_err_text());
	cfg_error(cfg, "%s", what);
	return -1;
}

static const char *last(cfg_opt_t *opt)
{
	return cfg_opt_getnstr(opt, cfg_opt_size(opt) - 1);
}

static int word(cfg_t *cfg, cfg_opt_t *opt, const char *const *words)
{
	int i = opts_word(cfg_opt_name(opt), last(opt), words);

	return i < 0 ? bad(cfg) : i;
}

static int number(cfg_t *cfg, cfg_opt_t *opt, uint64_t min, uint64_t max, uint64_t *value)
{
	return opts_number(cfg_opt_name(opt), last(opt), min, max, value) ? 0 : bad(cfg);
}

static int on_devices(cfg_t *cfg, cfg_opt_t *opt)
{
	into->n_devices = 0; /* called with each value, and once more */
	for (unsigned int i = 0; i < cfg_opt_size(opt); i++)
		if (config_add_device(into, cfg_opt_getnstr(opt, i)))
			return bad(cfg);
	return 0;
}

static int on_http(cfg_t *cfg, cfg_opt_t *opt)
{
	return config_set_http(into, cfg_opt_name(opt), last(opt)) ? bad(cfg) : 0;
}

static int on_hook(cfg_t *cfg, cfg_opt_t *opt)
{
	int i = word(cfg, opt, attach_hook_words);

	into->attach.hook = i;
	return i < 0;
}

static int on_xdp_mode(cfg_t *cfg, cfg_opt_t *opt)
{
	int i = word(cfg, opt, attach_mode_words);

	into->attach.xdp_mode = i;
	return i < 0;
}

static int on_backend(cfg_t *cfg, cfg_opt_t *opt)
{
	int i = word(cfg, opt, attach_backend_words);

	into->attach.backend = i;
	into->attach.backend_given = true;
	return i < 0;
}

static int on_secret(cfg_t *cfg, cfg_opt_t *opt)
{
	into->attach.secret = &into->secret;
	return guard_read_secret(last(opt), &into->secret) ? bad(cfg) : 0;
}

static int on_size(cfg_t *cfg, cfg_opt_t *opt)
{
	const struct {
		const char *name;
		uint32_t *value, min, max;
	} sizes[] = {
		{ "max-flows", &into->attach.max_flows, SW_MAX_FLOWS_MIN, SW_MAX_FLOWS_MAX },
		{ "max-half-open", &into->attach.max_half_open, SW_MAX_HALF_OPEN_MIN,
		  SW_MAX_HALF_OPEN_MAX },
		{ "syn-timeout", &into->attach.syn_timeout_s, SW_SYN_TIMEOUT_MIN,
		  SW_SYN_TIMEOUT_MAX },
		{ "msl", &into->attach.msl_s, SW_MSL_MIN, SW_MSL_MAX },
	};
	uint64_t value;
	size_t i = 0;

	while (strcmp(sizes[i].name, cfg_opt_name(opt)))
		i++;
	if (number(cfg, opt, sizes[i].min, sizes[i].max, &value))
		return -1;
	*sizes[i].value = value;
	into->attach.sizes_given = true;
	return 0;
}

/* Of the section "guard" or "listener" that is being read: their options are the same. */
static struct policy_change policy;

static int on_mode(cfg_t *cfg, cfg_opt_t *opt)
{
	policy.mode = word(cfg, opt, guard_modes);
	return policy.mode < 0;
}

static int on_method(cfg_t *cfg, cfg_opt_t *opt)
{
	policy.method = word(cfg, opt, guard_methods);
	return policy.method < 0;
}

static int on_threshold(cfg_t *cfg, cfg_opt_t *opt)
{
	uint64_t value;

	if (number(cfg, opt, 0, INT32_MAX, &value))
		return -1;
	*(strcmp(cfg_opt_name(opt), "high") ? &policy.low : &policy.high) = value;
	if (policy.high > 0 && policy.low >= policy.high) {
		cfg_error(cfg, "low %lld is not below high %lld", (long long)policy.low,
			  (long long)policy.high);
		return -1;
	}
	return 0;
}

static int on_hold(cfg_t *cfg, cfg_opt_t *opt)
{
	uint64_t value;

	if (number(cfg, opt, 1, 86400, &value))
		return -1;
	policy.hold_s = value;
	return 0;
}

/* The section is over. */
static struct policy_change take_policy(cfg_t *section)
{
	struct policy_change all = policy;

	if (cfg_size(section, "live"))
		all.dry_run = !cfg_getbool(section, "live");
	policy = (struct policy_change)POLICY_UNCHANGED;
	return all;
}

static int on_guard(cfg_t *cfg, cfg_opt_t *opt)
{
	(void)cfg;
	into->guard_given = true;
	into->guard = take_policy(cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1));
	return 0;
}

static int on_listener(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	struct config_listener *l = &into->listeners[into->n_listeners];

	if (into->n_listeners == CONFIG_LISTENERS) {
		cfg_error(cfg, "more than %d listeners", CONFIG_LISTENERS);
		return -1;
	}
	if (!listener_parse("listener", cfg_title(section), &l->which))
		return bad(cfg);
	into->n_listeners++;
	l->change = take_policy(section);
	return 0;
}

int config_add_device(struct config *c, const char *name)
{
	if (!*name || strlen(name) >= IFNAMSIZ)
		return sw_err("'%s' is no name of a device", name);
	for (int i = 0; i < c->n_devices; i++)
		if (!strcmp(c->devices[i], name))
			return sw_err("%s is named twice", name);
	if (c->n_devices == SW_MAX_DEVICES)
		return sw_err("at most %d devices", SW_MAX_DEVICES);
	strcpy(c->devices[c->n_devices++], name);
	return 0;
}

int config_set_http(struct config *c, const char *name, const char *text)
{
	c->http = strcmp(text, "off");
	return c->http && !listener_parse(name, text, &c->http_at) ? -1 : 0;
}

void config_init(struct config *c)
{
	*c = (struct config){
		.http = true,
		.http_at.port = sw_htons(HTTP_PORT_DEFAULT),
		.attach = { .max_flows = SW_MAX_FLOWS_DEFAULT,
			    .max_half_open = SW_MAX_HALF_OPEN_DEFAULT,
			    .syn_timeout_s = SW_SYN_TIMEOUT_DEFAULT,
			    .msl_s = SW_MSL_DEFAULT,
			    .policy = { .mode = SW_MODE_AUTO,
					.dry_run = 1,
					.hold_s = SW_HOLD_DEFAULT } },
		.guard = POLICY_UNCHANGED,
	};
}

#define FILE_MOST 65536

/* Whole, as libconfuse ends the process when it cannot read on. Bytes, or -1 with sw_err(). */
static int read_file(const char *path, char text[FILE_MOST])
{
	static const char after[] = "\n" AFTER " = yes\n";
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		return sw_err("cannot open %s: %s", path, strerror(errno));
	n = fread(text, 1, FILE_MOST - sizeof(after), f);
	if (ferror(f) || fgetc(f) != EOF) {
		sw_err("cannot read %s: %s", path,
		       ferror(f) ? strerror(errno) : "more than 64 KiB");
		fclose(f);
		return -1;
	}
	fclose(f);
	memcpy(text + n, after, sizeof(after) - 1);
	return n + sizeof(after) - 1;
}

int config_read(struct config *c, const char *path)
{
	cfg_opt_t policies[] = {
		CFG_STR("mode", NULL, CFGF_NODEFAULT),
		CFG_BOOL("live", cfg_false, CFGF_NODEFAULT),
		CFG_STR("method", NULL, CFGF_NODEFAULT),
		CFG_STR("high", NULL, CFGF_NODEFAULT),
		CFG_STR("low", NULL, CFGF_NODEFAULT),
		CFG_STR("hold", NULL, CFGF_NODEFAULT),
		CFG_END(),
	};
	cfg_opt_t all[] = {
		CFG_STR_LIST("devices", NULL, CFGF_NODEFAULT),
		CFG_STR("http", NULL, CFGF_NODEFAULT),
		CFG_BOOL("detach-on-exit", cfg_false, CFGF_NONE),
		CFG_STR("hook", NULL, CFGF_NODEFAULT),
		CFG_STR("xdp-mode", NULL, CFGF_NODEFAULT),
		CFG_STR("max-flows", NULL, CFGF_NODEFAULT),
		CFG_STR("max-half-open", NULL, CFGF_NODEFAULT),
		CFG_STR("syn-timeout", NULL, CFGF_NODEFAULT),
		CFG_STR("msl", NULL, CFGF_NODEFAULT),
		CFG_STR("cookie-backend", NULL, CFGF_NODEFAULT),
		CFG_STR("secret", NULL, CFGF_NODEFAULT),
		CFG_SEC("guard", policies, CFGF_NODEFAULT),
		CFG_SEC("listener", policies, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
		CFG_BOOL(AFTER, cfg_false, CFGF_NONE),
		CFG_END(),
	};
	static const struct {
		const char *name;
		cfg_validate_callback_t check;
	} checks[] = {
		{ "devices", on_devices },
		{ "http", on_http },
		{ "hook", on_hook },
		{ "xdp-mode", on_xdp_mode },
		{ "max-flows", on_size },
		{ "max-half-open", on_size },
		{ "syn-timeout", on_size },
		{ "msl", on_size },
		{ "cookie-backend", on_backend },
		{ "secret", on_secret },
		{ "guard", on_guard },
		{ "listener", on_listener },
		{ "guard|mode", on_mode },
		{ "listener|mode", on_mode },
		{ "guard|method", on_method },
		{ "listener|method", on_method },
		{ "guard|high", on_threshold },
		{ "listener|high", on_threshold },
		{ "guard|low", on_threshold },
		{ "listener|low", on_threshold },
		{ "guard|hold", on_hold },
		{ "listener|hold", on_hold },
	};
	char text[FILE_MOST];
	cfg_t *cfg;
	FILE *f;
	int ret;

	ret = read_file(path, text);
	if (ret < 0)
		return -1;
	cfg = cfg_init(all, CFGF_NONE);
	f = fmemopen(text, ret, "r");
	if (!cfg || !f)
		return sw_err("no memory");
	config_init(c);
	into = c;
	file = path;
	said = false;
	policy = (struct policy_change)POLICY_UNCHANGED;
	cfg_set_error_function(cfg, on_error);
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++)
		cfg_set_validate_func(cfg, checks[i].name, checks[i].check);
	ret = cfg_parse_fp(cfg, f);
	fclose(f);
	c->detach_on_exit = cfg_getbool(cfg, "detach-on-exit");
	if (ret != CFG_SUCCESS && !said) {
		sw_err("%s:%d: this, or what follows, cannot be parsed", path, cfg->line);
	} else if (ret == CFG_SUCCESS && !cfg_getbool(cfg, AFTER)) {
		sw_err("%s:%d: a comment is not closed before the end", path, cfg->line);
		ret = CFG_PARSE_ERROR;
	}
	cfg_free(cfg);
	return ret == CFG_SUCCESS ? 0 : -1;
}
