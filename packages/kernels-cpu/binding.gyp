{
  # One addon; kernels of each instruction set are compiled in targets of their own, because gyp has flags per target only.
  # Kernel sources name the flags they need in their first line; keep both alike.
  'variables': {
    'flags_avx2': ['-mavx2', '-mfma', '-mf16c'],
    'flags_avx512': ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512vnni', '-mfma', '-mf16c'],
    # GCC's first scheduling pass hoists loads until the kernels spill; clang has no such pass.
    'flags_neon': ['-fno-schedule-insns', '-fno-strict-aliasing'],
    'flags_neon_dotprod': ['-march=armv8.2-a+dotprod'],
    'flags_avx512_bf16': ['-mavx512f', '-mavx512bw', '-mavx512dq', '-mavx512vl', '-mavx512bf16'],
  },
  'target_defaults': {
    # A checkout's own headers come before a copy that packing left behind.
    'include_dirs': ['../../native/include', 'native/vendor/include'],
    'cflags!': ['-fno-exceptions', '-O2'],
    'cflags_cc!': ['-fno-exceptions', '-fno-rtti', '-std=gnu++14', '-std=gnu++17', '-std=gnu++20', '-O2'],
    'cflags_cc': [
      '-std=c++17', '-O3', '-ffp-contract=off', '-fno-math-errno', '-fexceptions', '-fvisibility=hidden', '-fvisibility-inlines-hidden',
      '-fstack-protector-strong', '-D_GLIBCXX_ASSERTIONS', '-Wall', '-Wextra',
    ],
    'ldflags': ['-Wl,-z,relro,-z,now', '-Wl,--gc-sections'],
    'xcode_settings': {
      'GCC_ENABLE_CPP_EXCEPTIONS': 'YES',
      'GCC_ENABLE_CPP_RTTI': 'YES',
      'GCC_SYMBOLS_PRIVATE_EXTERN': 'YES',
      'GCC_OPTIMIZATION_LEVEL': '3',
      'CLANG_CXX_LANGUAGE_STANDARD': 'c++17',
      'MACOSX_DEPLOYMENT_TARGET': '11.0',
      'OTHER_CPLUSPLUSFLAGS': ['-ffp-contract=off', '-fno-math-errno'],
    },
  },
  'targets': [
    {
      'target_name': 'kernels_scalar',
      'type': 'static_library',
      'sources': ['native/linear/isa/linear_scalar.cc', 'native/ops/isa/ops_scalar.cc'],
      'cflags_cc': ['-fno-strict-aliasing'],
      'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['-fno-strict-aliasing']},
    },
    {
      'target_name': 'kernels_cpu',
      'dependencies': [
        'kernels_scalar',
        "<!(node -p \"require('node-addon-api').targets\"):node_addon_api_except",
      ],
      'sources': [
        'native/binding/addon.cc',
        'native/binding/encoder_wrap.cc',
        'native/binding/int8_peak.cc',
        'native/binding/read_bandwidth.cc',
        'native/binding/session_host.cc',
        'native/binding/session_wrap.cc',
        'native/binding/testing.cc',
        'native/linear/activation.cc',
        'native/linear/decode_row.cc',
        'native/linear/encoding.cc',
        'native/linear/kernel_table.cc',
        'native/linear/pack.cc',
        'native/linear/packed_linear.cc',
        'native/ops/attention_plan.cc',
        'native/ops/ops.cc',
        'native/ops/select.cc',
        'native/session/compile.cc',
        'native/session/cpu_features.cc',
        'native/session/encoder_session.cc',
        'native/session/linear_phase.cc',
        'native/session/logit_edits.cc',
        'native/session/memory.cc',
        'native/session/model_runner.cc',
        'native/session/panel_split.cc',
        'native/session/place_buffers.cc',
        'native/session/read_program.cc',
        'native/session/rope_cache.cc',
        'native/session/sample_slot.cc',
        'native/session/sampling_rules.cc',
        'native/session/session.cc',
        'native/session/slots.cc',
        'native/session/step_words.cc',
        'native/session/thread_spread.cc',
        'native/session/weight_store.cc',
      ],
      'conditions': [
        ['target_arch=="x64"', {'dependencies': ['kernels_avx2', 'kernels_avx512', 'kernels_avx512_bf16']}],
        ['target_arch=="arm64"', {'dependencies': ['kernels_neon', 'kernels_neon_dotprod']}],
      ],
    },
  ],
  'conditions': [
    ['target_arch=="x64"', {
      'targets': [
        {
          'target_name': 'kernels_avx2',
          'type': 'static_library',
          'sources': ['native/linear/isa/linear_avx2.cc', 'native/ops/isa/ops_avx2.cc'],
          'cflags_cc': ['<@(flags_avx2)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(flags_avx2)']},
        },
        {
          'target_name': 'kernels_avx512',
          'type': 'static_library',
          'sources': ['native/linear/isa/linear_avx512.cc', 'native/ops/isa/ops_avx512.cc'],
          'cflags_cc': ['<@(flags_avx512)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(flags_avx512)']},
        },
        {
          'target_name': 'kernels_avx512_bf16',
          'type': 'static_library',
          'sources': ['native/linear/isa/linear_avx512_bf16.cc'],
          'cflags_cc': ['<@(flags_avx512_bf16)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['<@(flags_avx512_bf16)']},
        },
      ],
    }],
    ['target_arch=="arm64"', {
      'targets': [
        {
          'target_name': 'kernels_neon',
          'type': 'static_library',
          'sources': ['native/linear/isa/linear_neon.cc', 'native/ops/isa/ops_neon.cc'],
          'cflags_cc': ['<@(flags_neon)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['-fno-strict-aliasing']},
        },
        {
          'target_name': 'kernels_neon_dotprod',
          'type': 'static_library',
          'sources': ['native/linear/isa/linear_neon_dotprod.cc'],
          'cflags_cc': ['<@(flags_neon)', '<@(flags_neon_dotprod)'],
          'xcode_settings': {'OTHER_CPLUSPLUSFLAGS': ['-fno-strict-aliasing', '<@(flags_neon_dotprod)']},
        },
      ],
    }],
  ],
}
