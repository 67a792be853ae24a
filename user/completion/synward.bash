# SPDX-License-Identifier: GPL-2.0
# bash completion for synward

_synward()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} cmd=${COMP_WORDS[1]} words
	local common="--json --netns --help --version"
	local states="LISTEN SYN_SENT SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT CLOSED"
	local devices
	devices=$(ip -o link 2>/dev/null | sed 's/^[0-9]*: \([^:@]*\).*/\1/')

	case $prev in
	--hook) words="auto xdp tc" ;;
	--xdp-mode) words="auto native generic" ;;
	--guard) words="off auto on" ;;
	--method) words="cookie first-syn drop" ;;
	--cookie-backend) words="auto assign helper none" ;;
	--listener) words=$(ss -tlnH 2>/dev/null | awk '{ sub(/.*:/, "", $4); print $4 }' | sort -u) ;;
	--lang) words="en zh" ;;
	--secret | --config | --svg)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--state) words=$states ;;
	--sort) words="age idle server_us client_us retransmits state" ;;
	--by) words="prefix" ;;
	--type) words="all state guard" ;;
	--dev) words=$devices ;;
	--netns) words=$(ip netns list 2>/dev/null | cut -d' ' -f1) ;;
	--max-flows | --max-half-open | --syn-timeout | --msl | --port | --peer | --rate | --limit | --high | --low | --hold | --for | --ttl | --interval | --flow | --prefix | --source-rate | --prefix-rate | --reply-rate | --core-rate | --total-rate) return ;;
	*)
		if ((COMP_CWORD == 1)); then
			words="attach detach status states flows listeners guard allow deny attacks top events run doctor verify replay explain lab --help --version"
		else
			case $cmd in
			attach) words="$devices $common --hook --xdp-mode --replace --max-flows --max-half-open --syn-timeout --msl --guard --dry-run --live --method --cookie-backend --secret" ;;
			detach) words="$devices $common --all" ;;
			status | verify | attacks) words=$common ;;
			doctor) words="$devices $common" ;;
			events) words="$common --type --port --peer --rate" ;;
			guard) words="off auto on $common --dry-run --live --listener --method --high --low --hold --for --check --prefix --source-rate --prefix-rate --reply-rate --core-rate --total-rate" ;;
			allow | deny) words="add del list flush $common --ttl --force" ;;
			top) words="$common --interval" ;;
			states) words="$common --dev --watch" ;;
			flows) words="$common --dev --state --port --peer --sort --by --limit" ;;
			listeners) words="$common --dev" ;;
			run) words="$devices $common --config --http --detach-on-exit" ;;
			lab) words="$common --slow --absolute --svg --lang --ascii $(synward lab 2>/dev/null | cut -d' ' -f1)" ;;
			explain)
				mapfile -t COMPREPLY < <(compgen -f -W "$common --flow --port --peer --dev --absolute --svg --lang --ascii" -- "$cur")
				return
				;;
			replay)
				mapfile -t COMPREPLY < <(compgen -f -W "$common --in-kernel --max-flows --max-half-open --syn-timeout --msl" -- "$cur")
				return
				;;
			esac
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _synward synward
