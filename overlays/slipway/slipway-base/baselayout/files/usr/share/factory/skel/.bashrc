case $- in *i*) ;; *) return ;; esac
PS1='\u@\h \w \$ '
alias ls='ls --color=auto' ll='ls -l' grep='grep --color=auto'
