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
	--guard) words="off" ;;
	--state) words=$states ;;
	--sort) words="age idle server_us client_us retransmits state" ;;
	--by) words="prefix" ;;
	--dev) words=$devices ;;
	--netns) words=$(ip netns list 2>/dev/null | cut -d' ' -f1) ;;
	--max-flows | --max-half-open | --syn-timeout | --msl | --port | --peer | --limit) return ;;
	*)
		if ((COMP_CWORD == 1)); then
			words="attach detach status states flows listeners verify replay --help --version"
		else
			case $cmd in
			attach) words="$devices $common --hook --xdp-mode --replace --max-flows --max-half-open --syn-timeout --msl --guard" ;;
			detach) words="$devices $common --all" ;;
			status | verify) words=$common ;;
			states) words="$common --dev --watch" ;;
			flows) words="$common --dev --state --port --peer --sort --by --limit" ;;
			listeners) words="$common --dev" ;;
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
